import type { MeshEvent } from "@weft/control/api/protocol";
import { Empty } from "../panel/panel.tsx";
import { formatTime } from "../words/format.ts";

export function newestFirst(events: Readonly<Record<string, MeshEvent>>): readonly MeshEvent[] {
  return Object.entries(events)
    .sort(([a], [b]) => Number(b) - Number(a))
    .map(([, event]) => event);
}

export function EventList({
  events,
  limit = 12,
}: {
  readonly events: readonly MeshEvent[];
  readonly limit?: number;
}) {
  if (events.length === 0) {
    return (
      <Empty
        why="Nothing has happened since the control plane started."
        todo="Applied configuration, joins, certificates and refusals appear here and on every chart."
      />
    );
  }
  return (
    <ol class="events">
      {events.slice(0, limit).map(({ atMs, kind, message }) => (
        <li key={`${atMs}${message}`} class={kind === "nack" || kind === "refused" ? "bad" : ""}>
          <time dateTime={new Date(atMs).toISOString()}>{formatTime(atMs)}</time>
          <span class="kind">{kind}</span>
          <span class="what">{shortened(message)}</span>
        </li>
      ))}
    </ol>
  );
}

/** Identities by namespace and account: the rest of them is the same on every line. */
function shortened(message: string): string {
  return message.replace(/spiffe:\/\/[^/\s]+\/ns\/([^/\s]+)\/sa\/([^/\s,]+)/g, "$1/$2");
}
