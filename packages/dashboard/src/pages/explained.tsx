import type { CallExplanation, ExplainedStep } from "@weft/control/dashboard/view";
import { Sign } from "../panel/signs.tsx";
import { Origin } from "./origin.tsx";

/** A call from listener to destination: what each part decided, where that was written, and what lost against it. */
export function Explained({ explanation }: { readonly explanation: CallExplanation }) {
  const { steps, outcome, caller, request } = explanation;
  const places = [...Map.groupBy(steps, ({ at }) => at)];
  const isWell = outcome.result === "forwarded" && outcome.destinations.every(({ problem }) => !problem);
  return (
    <>
      <p class={`outcome ${isWell ? "" : "bad"}`} role="status">
        <Sign severity={isWell ? "good" : outcome.result === "undecided" ? "warn" : "bad"} />
        <span>
          <b>{outcome.summary}</b>
          <small>
            {request.method} {request.url} from {caller.workload}
            {outcome.flags && ` · ${outcome.flags}`}
          </small>
        </span>
      </p>
      {places.map(([at, own]) => (
        <section key={at} aria-label={`at the proxy of ${at}`}>
          <h3>at the proxy of {at}</h3>
          <ol class="steps">
            {own.map((step, i) => (
              <Step key={`${step.step}${i}`} step={step} />
            ))}
          </ol>
        </section>
      ))}
    </>
  );
}

function Step({ step: { step, chosen, detail, origin, lost = [] } }: { readonly step: ExplainedStep }) {
  return (
    <li>
      <span class="kind">{step}</span>
      <div>
        <b>{chosen}</b> {detail && <span class="note">{detail}</span>} {origin && <Origin origin={origin} />}
        {lost.length > 0 && (
          <ul class="plain">
            {lost.map(({ what, why, origin: place }, i) => (
              <li key={`${what}${i}`} class="note">
                not {what}: {why} {place && <Origin origin={place} />}
              </li>
            ))}
          </ul>
        )}
      </div>
    </li>
  );
}
