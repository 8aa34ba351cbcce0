import type { ObservedExplanation } from "@weft/control/dashboard/view";
import { formatMs, formatTime } from "../words/format.ts";
import { Explained } from "./explained.tsx";
import { Origin } from "./origin.tsx";

/** The calls of one request id: what each end recorded, and how the mesh decides about it now. */
export function ObservedCalls({ calls }: { readonly calls: readonly ObservedExplanation[] }) {
  return (
    <>
      {calls.map((call, i) => (
        <section
          key={`${call.caller.workload} ${i}`}
          aria-label={`${call.request.method} ${call.request.url}`}
        >
          <Explained explanation={call} />
          <h3>what was recorded</h3>
          <ul class="plain">
            {call.recorded.map((end) => (
              <li key={`${end.at} ${end.direction}`}>
                <b>{end.status || "no answer"}</b> {end.flags && <code>{end.flags}</code>} {end.details}{" "}
                <span class="note">
                  by {end.at}, {end.direction}, {formatTime(end.startedMs)}, after {formatMs(end.durationMs)}
                  {end.decidedBy && `; ${end.decidedBy}`}
                </span>{" "}
                <Origin origin={end.decidedOrigin || end.routeOrigin || undefined} />
              </li>
            ))}
          </ul>
          <p class="note">{judgement(call)}</p>
        </section>
      ))}
    </>
  );
}

function judgement({ isConfigurationSame, isSameNow, recorded, unknown }: ObservedExplanation): string {
  const changed = recorded.flatMap(({ changes }) => changes.map(({ type, name }) => `${type} ${name}`));
  const now = `the mesh would ${isSameNow ? "" : "not "}answer so now`;
  const what = isConfigurationSame
    ? `The configuration is that of then; ${now}.`
    : `Changed since: ${[...new Set(changed)].join(", ")}; ${now}.`;
  return unknown.length === 0 ? what : `${what} Not kept of it: ${unknown.join(", ")}.`;
}
