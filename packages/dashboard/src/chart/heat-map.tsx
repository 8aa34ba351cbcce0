import type { HistoryReport, MeshEvent } from "@weft/control/api/protocol";
import { formatMs, formatRate, formatTime } from "../words/format.ts";
import { EventMarks } from "./event-marks.tsx";
import { heatCells } from "./heat-cells.ts";
import { linearScale, timeTicks } from "./scale.ts";
import { WideChart } from "./wide-chart.tsx";

const width = 1_140;
const height = 190;
const area = { left: 64, right: width - 24, top: 12, bottom: height - 24 };

export interface HeatMapProps {
  readonly report: HistoryReport;
  readonly events: readonly MeshEvent[];
}

/** How long calls took, over time: the darker, the more of them; with what happened in the mesh drawn through it. */
export function HeatMap({ report, events }: HeatMapProps) {
  const { cells, rows, labels } = heatCells(report);
  const columns = report.rps.length;
  const x = linearScale([0, columns], [area.left, area.right]);
  const y = linearScale([0, rows], [area.bottom, area.top]);
  const [cellWidth, cellHeight] = [x(1) - x(0), y(0) - y(1)];
  const endMs = report.startMs + columns * report.stepMs;
  const xOf = (ms: number) => x((ms - report.startMs) / report.stepMs);
  const shownEvents = events.filter(({ atMs }) => atMs >= report.startMs && atMs <= endMs);
  return (
    <WideChart>
      <svg
        class="heat-map"
        viewBox={`0 0 ${width} ${height}`}
        role="img"
        aria-label="Calls by how long they took, over time"
      >
        {labels.map(({ row, ms }) => (
          <g key={row} class="axis">
            <line x1={area.left} x2={area.right} y1={y(row)} y2={y(row)} />
            <text x={area.left - 8} y={y(row) + 4} text-anchor="end">
              {formatMs(ms)}
            </text>
          </g>
        ))}
        {cells.map(({ column, row, share, count, fromMs, toMs }) => (
          <rect
            key={`${column}.${row}`}
            class="heat"
            x={x(column)}
            y={y(row + 1) + 0.5}
            width={Math.max(1, cellWidth - 0.4)}
            height={cellHeight - 1}
            fill-opacity={0.12 + 0.88 * share}
          >
            <title>
              {`${formatTime(report.startMs + column * report.stepMs)}: ${formatRate(count)} calls took ${formatMs(fromMs)} to ${toMs === undefined ? "longer" : formatMs(toMs)}`}
            </title>
          </rect>
        ))}
        <EventMarks events={shownEvents} xOf={xOf} top={area.top} bottom={area.bottom} />
        {timeTicks(report.startMs, endMs, 10).map((tick) => (
          <text key={tick} class="time" x={xOf(tick)} y={height - 6} text-anchor="middle">
            {formatTime(tick, false)}
          </text>
        ))}
      </svg>
    </WideChart>
  );
}
