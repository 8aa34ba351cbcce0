import type { MeshEvent } from "@weft/control/api/protocol";
import { useState } from "preact/hooks";
import { Empty } from "../panel/panel.tsx";
import { formatTime } from "../words/format.ts";
import { EventMarks } from "./event-marks.tsx";
import { linePath, round } from "./line-path.ts";
import { linearScale, niceTicks, timeTicks } from "./scale.ts";

export interface Line {
  readonly label: string;
  readonly values: readonly (number | null)[];
  /** Which of the palette's lines. */
  readonly tone: 1 | 2 | 3 | 4 | 5 | 6;
}

export interface LineChartProps {
  readonly label: string;
  readonly startMs: number;
  readonly stepMs: number;
  readonly lines: readonly Line[];
  readonly events: readonly MeshEvent[];
  readonly format: (value: number | null | undefined) => string;
  /** The axis goes at least this far. */
  readonly atLeast?: number;
}

const width = 560;
const height = 168;
const area = { left: 52, right: width - 18, top: 10, bottom: height - 24 };

/** Values over time, with what happened in the mesh drawn through them. The arrow keys walk along it. */
export function LineChart({ label, startMs, stepMs, lines, events, format, atLeast = 0 }: LineChartProps) {
  const [at, setAt] = useState<number | undefined>();
  const isEmpty = (value: number | null) => value === null || (atLeast === 0 && value === 0);
  if (lines.every(({ values }) => values.every(isEmpty))) {
    return (
      <Empty
        why="Nothing was measured in this time: there were no calls."
        todo="Sidecars count calls as soon as there are any, and report every two seconds."
      />
    );
  }
  const count = lines[0]?.values.length ?? 0;
  const endMs = startMs + (count - 1) * stepMs;
  const max = Math.max(atLeast, ...lines.flatMap(({ values }) => values.map((value) => value ?? 0)));
  const ticks = niceTicks(max, 3);
  const x = linearScale([0, count - 1], [area.left, area.right]);
  const y = linearScale([0, ticks.at(-1)!], [area.bottom, area.top]);
  const xOf = (ms: number) => x((ms - startMs) / stepMs);
  const shownEvents = events.filter(({ atMs }) => atMs >= startMs && atMs <= endMs + stepMs);
  const follow = (event: MouseEvent) => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const inside = ((event.clientX - box.left) / box.width) * width;
    const index = Math.round(linearScale([area.left, area.right], [0, count - 1])(inside));
    setAt(Math.max(0, Math.min(count - 1, index)));
  };
  const walk = (event: KeyboardEvent) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    setAt(Math.max(0, Math.min(count - 1, (at ?? count) + by)));
  };
  const readAt = at ?? lastValue(lines);
  return (
    <figure class="chart">
      <svg
        viewBox={`0 0 ${width} ${height}`}
        role="img"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys read values off the chart
        tabIndex={0}
        aria-label={`${label}: ${lines.map((line) => `${line.label} ${format(line.values[readAt])}`).join(", ")} at ${formatTime(startMs + readAt * stepMs)}`}
        onMouseMove={follow}
        onMouseLeave={() => setAt(undefined)}
        onKeyDown={walk}
        onBlur={() => setAt(undefined)}
      >
        {ticks.map((tick) => (
          <g key={tick} class="axis">
            <line x1={area.left} x2={area.right} y1={round(y(tick))} y2={round(y(tick))} />
            <text x={area.left - 8} y={round(y(tick)) + 4} text-anchor="end">
              {format(tick)}
            </text>
          </g>
        ))}
        {timeTicks(startMs, endMs, 6).map((tick) => (
          <text key={tick} class="time" x={round(xOf(tick))} y={height - 6} text-anchor="middle">
            {formatTime(tick, false)}
          </text>
        ))}
        <EventMarks events={shownEvents} xOf={xOf} top={area.top} bottom={area.bottom} />
        {lines.map(({ label: name, values, tone }) => (
          <path key={name} class={`line tone-${tone}`} d={linePath(values, x, y)} />
        ))}
        {at !== undefined && (
          <line class="cursor" x1={round(x(at))} x2={round(x(at))} y1={area.top} y2={area.bottom} />
        )}
        {at !== undefined &&
          lines.map(({ label: name, values, tone }) => {
            const value = values[at];
            if (value === null || value === undefined) return null;
            return (
              <circle key={name} class={`dot tone-${tone}`} cx={round(x(at))} cy={round(y(value))} r={3.5} />
            );
          })}
      </svg>
      <figcaption>
        {lines.map(({ label: name, values, tone }) => (
          <span key={name} class="key">
            <i class={`swatch tone-${tone}`} aria-hidden="true" />
            {name} <b>{format(values[readAt])}</b>
          </span>
        ))}
        <time>{formatTime(startMs + readAt * stepMs)}</time>
      </figcaption>
    </figure>
  );
}

function lastValue(lines: readonly Line[]): number {
  const last = lines.map(({ values }) => values.findLastIndex((value) => value !== null));
  return Math.max(0, ...last);
}
