import type { MeshEvent } from "@weft/control/api/protocol";
import { formatTime } from "../words/format.ts";

export interface EventMarksProps {
  readonly events: readonly MeshEvent[];
  readonly xOf: (ms: number) => number;
  readonly top: number;
  readonly bottom: number;
}

/** What happened in the mesh, drawn through a chart from its top to its bottom; the pointer reads what it was. */
export function EventMarks({ events, xOf, top, bottom }: EventMarksProps) {
  return (
    <>
      {marks(events, xOf).map(({ at, kind, text }) => (
        <g key={`${at}${kind}`} class={`mark ${toneOf(kind)}`}>
          <title>{text}</title>
          <line x1={at} x2={at} y1={top - 2} y2={bottom} />
          <path d={`M${at - 4} ${top - 8}h8l-4 6Z`} />
        </g>
      ))}
    </>
  );
}

const lively: ReadonlySet<string> = new Set(["connect", "disconnect", "certificate", "token"]);

function toneOf(kind: string): string {
  if (kind === "nack" || kind === "refused" || kind === "config" || kind === "certificate refused")
    return "bad";
  return lively.has(kind) ? "quiet" : "change";
}

interface Mark {
  readonly at: number;
  readonly kind: string;
  readonly text: string;
}

/** What happened within a few pixels is one mark, of the weightiest kind of it. */
export function marks(events: readonly MeshEvent[], xOf: (ms: number) => number): readonly Mark[] {
  const weight = (kind: string): number => ["quiet", "change", "bad"].indexOf(toneOf(kind));
  const groups = Map.groupBy(events, ({ atMs }) => Math.round(xOf(atMs) / 4) * 4);
  return [...groups].map(([at, group]) => {
    const [first] = group.toSorted((a, b) => weight(b.kind) - weight(a.kind));
    const lines = group
      .slice(0, 8)
      .map(({ atMs, kind, message }) => `${formatTime(atMs)} ${kind}: ${message}`);
    if (group.length > 8) lines.push(`and ${group.length - 8} more`);
    return { at, kind: first!.kind, text: lines.join("\n") };
  });
}
