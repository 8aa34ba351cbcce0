import type { ServiceDetail, ServiceEdge, ServiceRow, VersionRow } from "@weft/control/dashboard/view";
import { round } from "../chart/line-path.ts";
import { type SankeyItem, sankeyLayout } from "../chart/sankey-layout.ts";
import { placeName } from "../graph/edge-look.ts";
import { Empty, Panel } from "../panel/panel.tsx";
import { formatRate, formatShare } from "../words/format.ts";
import { configuredShares } from "./configured-shares.ts";

export interface VersionsPanelProps {
  readonly service: ServiceRow;
  readonly versions: readonly VersionRow[];
  readonly callers: readonly (readonly [id: string, edge: ServiceEdge])[];
  readonly detail: ServiceDetail | undefined;
  readonly promql: string;
}

const width = 560;
const height = 180;
const space = { height, columns: [108, 246, 376], barWidth: 12, gap: 14 } as const;
const maxCallers = 8;

/** Where its calls come from and which version gets them, beside what the routes say each should get. */
export function VersionsPanel({ service, versions, callers, detail, promql }: VersionsPanelProps) {
  const configured = configuredShares(detail);
  const total = versions.reduce((sum, { requestsPerSecond = 0 }) => sum + requestsPerSecond, 0);
  const right = versions.map(({ version, requestsPerSecond: value = 0 }) => ({
    id: version,
    label: version || "no version",
    value,
  }));
  const title = "Versions";
  if (right.length === 0) {
    return (
      <Panel title={title} cli={`weft stat ${service.name} --by version`} promql={promql}>
        <Empty
          why="No instance has registered for this service."
          todo="A version is what 'weft run --version v1' says."
        />
      </Panel>
    );
  }
  const layout = sankeyLayout(leftItems(callers), right, space);
  const [x0, x1, x2] = space.columns;
  return (
    <Panel
      title={title}
      note="what each gets, and what it should"
      cli={`weft stat ${service.name} --by version`}
      promql={promql}
    >
      <figure class="chart">
        <svg
          viewBox={`0 0 ${width} ${height + 12}`}
          role="img"
          aria-label={describe(right, total, configured)}
        >
          <g transform="translate(0 6)">
            {layout.bands.map(({ id, path }, i) => (
              <path key={`${id}${i}`} class="band" d={path} />
            ))}
            {layout.left.map(({ id, label, y, height: barHeight, value }) => (
              <g key={id}>
                <rect class="bar" x={x0} y={round(y)} width={space.barWidth} height={round(barHeight)} />
                <text x={x0 - 8} y={round(y + barHeight / 2) + 4} text-anchor="end">
                  {label} <tspan class="quiet">{formatRate(value)}/s</tspan>
                </text>
              </g>
            ))}
            <rect
              class="bar middle"
              x={x1}
              y={round(layout.middle.y)}
              width={space.barWidth}
              height={round(layout.middle.height)}
            />
            {layout.right.map(({ id, label, y, height: barHeight, value }) => {
              const should = configured.get(id);
              const actual = total > 0 ? value / total : undefined;
              const isOff = should !== undefined && actual !== undefined && Math.abs(should - actual) > 0.05;
              return (
                <g key={id}>
                  <rect class="bar" x={x2} y={round(y)} width={space.barWidth} height={round(barHeight)} />
                  <text x={x2 + space.barWidth + 8} y={round(y + barHeight / 2) + 4}>
                    <tspan class="strong">{label}</tspan> {formatShare(actual)}
                    <tspan class={isOff ? "off" : "quiet"}>
                      {should === undefined ? "" : ` should be ${formatShare(should)}`}
                    </tspan>
                  </text>
                </g>
              );
            })}
          </g>
        </svg>
        <figcaption>
          <span class="note">
            {configured.size > 0
              ? "the share of the last ten seconds, and the one that the route for every request gives"
              : "no route gives shares to versions: calls go to whichever the balancer picks"}
          </span>
        </figcaption>
      </figure>
    </Panel>
  );
}

function leftItems(callers: VersionsPanelProps["callers"]): readonly SankeyItem[] {
  const items = callers
    .map(([id, { from, requestsPerSecond: value = 0 }]) => ({ id, label: placeName(from), value }))
    .filter(({ value }) => value > 0)
    .sort((a, b) => b.value - a.value);
  const rest = items.slice(maxCallers).reduce((sum, { value }) => sum + value, 0);
  const shown = items.slice(0, maxCallers);
  return rest > 0
    ? [...shown, { id: "rest", label: `${items.length - maxCallers} more`, value: rest }]
    : shown;
}

function describe(
  versions: readonly SankeyItem[],
  total: number,
  configured: ReadonlyMap<string, number>,
): string {
  const parts = versions.map(({ id, label, value }) => {
    const should = configured.get(id);
    const actual = total > 0 ? value / total : undefined;
    return `${label} gets ${formatShare(actual)}${should === undefined ? "" : ` of configured ${formatShare(should)}`}`;
  });
  return `Versions: ${parts.join(", ")}`;
}
