import type { WorkloadRow } from "@weft/control/dashboard/view";
import { round } from "../chart/line-path.ts";
import { linearScale } from "../chart/scale.ts";
import { WideChart } from "../chart/wide-chart.tsx";
import { formatAge } from "../words/format.ts";

export interface CertificateTimelineProps {
  readonly workloads: readonly (WorkloadRow & {
    readonly certificateNotBeforeMs: number;
    readonly certificateNotAfterMs: number;
  })[];
  readonly nowMs: number;
}

const width = 1_140;
const labelWidth = 230;
const rowHeight = 24;
const maxRows = 60;

/** Each workload's certificate from its issue to its end, the first to end on top. */
export function CertificateTimeline({ workloads, nowMs }: CertificateTimelineProps) {
  const rows = workloads
    .toSorted((a, b) => a.certificateNotAfterMs - b.certificateNotAfterMs || (a.id < b.id ? -1 : 1))
    .slice(0, maxRows);
  const start = Math.min(nowMs, ...rows.map(({ certificateNotBeforeMs }) => certificateNotBeforeMs));
  const end = Math.max(nowMs, ...rows.map(({ certificateNotAfterMs }) => certificateNotAfterMs));
  const x = linearScale([start, end], [labelWidth, width - 92]);
  const height = rows.length * rowHeight + 24;
  return (
    <WideChart>
      <svg
        viewBox={`0 0 ${width} ${height}`}
        role="img"
        aria-label={`Certificates of ${rows.length} workloads, the first to end: ${rows[0]?.id} in ${formatAge((rows[0]?.certificateNotAfterMs ?? nowMs) - nowMs)}`}
      >
        {rows.map(({ id, certificateNotBeforeMs: from, certificateNotAfterMs: to, isConnected }, i) => {
          const y = 20 + i * rowHeight;
          const half = (from + to) / 2;
          const isOver = to < nowMs;
          const isLate = !isOver && nowMs > from + (to - from) * 0.75;
          const word = isOver ? "expired" : isLate ? "late" : "";
          return (
            <g key={id} class={`certificate ${isOver ? "bad" : isLate ? "warn" : ""}`}>
              <title>{`${id}: ${new Date(from).toLocaleString()} to ${new Date(to).toLocaleString()}${isConnected ? "" : ", its agent is away"}`}</title>
              <text x={labelWidth - 12} y={y + 12} text-anchor="end">
                {id.length > 32 ? `${id.slice(0, 31)}…` : id}
              </text>
              <rect
                class="rail"
                x={round(x(from))}
                y={y + 3}
                width={round(Math.max(2, x(to) - x(from)))}
                height={11}
                rx={3}
              />
              <rect
                class="used"
                x={round(x(from))}
                y={y + 3}
                width={round(Math.max(0, x(Math.min(to, nowMs)) - x(from)))}
                height={11}
                rx={3}
              />
              <line class="half" x1={round(x(half))} x2={round(x(half))} y1={y + 1} y2={y + 16} />
              <text class="quiet" x={width - 84} y={y + 12}>
                {word || formatAge(to - nowMs)}
              </text>
            </g>
          );
        })}
        <line class="cursor" x1={round(x(nowMs))} x2={round(x(nowMs))} y1={14} y2={height - 4} />
        <text class="quiet" x={round(x(nowMs))} y={11} text-anchor="middle">
          now
        </text>
      </svg>
      {workloads.length > maxRows && (
        <figcaption>
          The {maxRows} that end first, of {workloads.length}.
        </figcaption>
      )}
    </WideChart>
  );
}
