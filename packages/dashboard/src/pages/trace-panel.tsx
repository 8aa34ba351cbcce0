import type { TraceReport } from "@weft/control/dashboard/view";
import { round } from "../chart/line-path.ts";
import { linearScale, niceTicks } from "../chart/scale.ts";
import { Empty, Panel } from "../panel/panel.tsx";
import { useQuery } from "../state/hooks.ts";
import { formatMs } from "../words/format.ts";

const width = 640;
const labelWidth = 230;
const rowHeight = 26;
const tones = [1, 3, 4, 5, 6] as const;

/** One trace: who was busy with the request, when, and for how long. */
export function TracePanel({
  traceId,
  hasTraces,
}: {
  readonly traceId: string;
  readonly hasTraces: boolean;
}) {
  const found = useQuery<TraceReport>(
    hasTraces && traceId ? `traces/${encodeURIComponent(traceId)}` : undefined,
  );
  const cli = traceId ? `curl JAEGER/api/traces/${traceId}` : "curl JAEGER/api/traces/TRACE-ID";
  return (
    <Panel title="What one did" note="a trace" cli={cli}>
      {!hasTraces ? (
        <Empty
          why="No tracing system is known, so there are no traces to show."
          todo={
            <>
              Name Jaeger's query service: <code>weft control-plane --jaeger-url http://127.0.0.1:16686</code>
            </>
          }
        />
      ) : traceId === "" ? (
        <Empty
          why="No trace has been asked for."
          todo="Its id is the second part of traceparent, and %TRACE_ID% in access logs."
        />
      ) : found.state === "ready" ? (
        <Waterfall trace={found.value} />
      ) : found.state === "failed" ? (
        <Empty why={found.why} />
      ) : (
        <p class="note">Asking for the trace…</p>
      )}
    </Panel>
  );
}

function Waterfall({ trace }: { readonly trace: TraceReport }) {
  const { spans, durationMs, link } = trace;
  const height = spans.length * rowHeight + 26;
  const ticks = niceTicks(durationMs, 4);
  const x = linearScale([0, ticks.at(-1)!], [labelWidth, width - 124]);
  const services = [...new Set(spans.map(({ service }) => service))];
  return (
    <figure class="chart">
      <svg
        viewBox={`0 0 ${width} ${height}`}
        role="img"
        aria-label={`Trace of ${spans.length} spans in ${formatMs(durationMs)}`}
      >
        {ticks.map((tick) => (
          <g key={tick} class="axis">
            <line x1={round(x(tick))} x2={round(x(tick))} y1={0} y2={height - 20} />
            <text x={round(x(tick))} y={height - 6} text-anchor="middle">
              {formatMs(tick)}
            </text>
          </g>
        ))}
        {spans.map(({ id, depth, service, operation, startMs, durationMs: ms, isFailed, notes }, i) => {
          const y = i * rowHeight;
          const tone = tones[services.indexOf(service) % tones.length]!;
          const indent = Math.min(depth * 10, 80);
          const name = service || operation;
          return (
            <g key={id} class={isFailed ? "span failed" : "span"}>
              <title>{`${service}: ${operation}, ${formatMs(ms)} from ${formatMs(startMs)}\n${notes.join(", ")}`}</title>
              <text x={indent} y={y + 16}>
                {name.length > 24 ? `${name.slice(0, 23)}…` : name}{" "}
                <tspan class="quiet">{operation.slice(0, 14)}</tspan>
              </text>
              <rect
                class={`tone-${tone}`}
                x={round(x(startMs))}
                y={y + 5}
                width={round(Math.max(2, x(startMs + ms) - x(startMs)))}
                height={14}
                rx={2}
              />
              <text class="quiet" x={round(x(startMs + ms) + 5)} y={y + 16}>
                {formatMs(ms)} {isFailed ? `✕ ${notes[0] ?? "failed"}` : ""}
              </text>
            </g>
          );
        })}
      </svg>
      <figcaption>
        <a href={link} target="_blank" rel="noreferrer">
          The same in Jaeger
        </a>
      </figcaption>
    </figure>
  );
}
