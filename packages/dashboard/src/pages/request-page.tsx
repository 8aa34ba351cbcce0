import type { CallExplanation, ObservedExplanations } from "@weft/control/dashboard/view";
import { Empty, Panel } from "../panel/panel.tsx";
import { useQuery } from "../state/hooks.ts";
import { formatLocation } from "../state/location.ts";
import { Explained } from "./explained.tsx";
import { ObservedCalls } from "./observed-calls.tsx";
import type { PageProps } from "./page.ts";
import { TracePanel } from "./trace-panel.tsx";

const week = 7 * 86_400_000;

/** One call: what it would do and why, beside what one like it did. */
export function RequestPage({ view, location }: PageProps) {
  const { from = "", to = "", method = "GET", headers = "", trace = "", request = "" } = location.options;
  const isAsked = from !== "" && to !== "";
  const query = new URLSearchParams({ from, to, method });
  for (const header of linesOf(headers)) query.append("header", header);
  const explained = useQuery<CallExplanation>(isAsked ? `explanation?${query}` : undefined, week);
  const observed = useQuery<ObservedExplanations>(
    request && !isAsked ? `requests/${encodeURIComponent(request)}/explanation` : undefined,
    week,
  );
  const isObserved = request !== "" && !isAsked;
  const ofCall = observed.state === "ready" ? (observed.value.calls[0]?.traceId ?? "") : "";
  const traceId = trace || (isObserved ? ofCall : "");
  const callers = [...new Set(Object.values(view.tables.workloads).map((row) => row.workloadName))].sort();
  const ask = (event: SubmitEvent) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget as HTMLFormElement);
    const options = Object.fromEntries([...data].map(([name, value]) => [name, String(value)]));
    window.location.hash = formatLocation({ page: "request", options });
  };
  return (
    <>
      <form class="question" onSubmit={ask} key={JSON.stringify(location.options)}>
        <label>
          From
          <input name="from" list="callers" defaultValue={from} placeholder="productpage-v1" />
        </label>
        <datalist id="callers">
          {callers.map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
        <label>
          Method
          <input name="method" defaultValue={method} size={7} />
        </label>
        <label class="wide">
          To
          <input name="to" defaultValue={to} placeholder="http://reviews:9080/reviews/1" />
        </label>
        <label class="wide">
          Headers, one a line
          <textarea name="headers" rows={1} placeholder="end-user: jason" defaultValue={headers} />
        </label>
        <label>
          or request id
          <input name="request" defaultValue={request} placeholder="x-request-id" />
        </label>
        {view.mesh.hasTraces && (
          <label>
            Trace
            <input name="trace" defaultValue={trace} placeholder="trace id" />
          </label>
        )}
        <button type="submit">Explain</button>
      </form>
      <div class={traceId ? "grid two" : ""}>
        <Panel
          title={isObserved ? "What it came to, and why" : "What it would do"}
          note={isObserved ? "remembered by data planes" : "nothing is sent"}
          cli={isObserved ? `weft explain --request-id ${request}` : commandOf(location.options)}
        >
          {isObserved && observed.state === "loading" && <p class="note">Asking the data planes…</p>}
          {isObserved && observed.state === "failed" && <Empty why={observed.why} />}
          {isObserved && observed.state === "ready" && <ObservedCalls calls={observed.value.calls} />}
          {!isAsked && !isObserved && (
            <Empty
              why="No call has been asked about."
              todo="Say who calls what: the answer names the route, the policies and the destinations, each with its line of YAML and what lost against it."
            />
          )}
          {isAsked && explained.state === "loading" && <p class="note">Asking both proxies' matchers…</p>}
          {isAsked && explained.state === "failed" && <Empty why={explained.why} />}
          {isAsked && explained.state === "ready" && <Explained explanation={explained.value} />}
        </Panel>
        <TracePanel traceId={traceId} hasTraces={view.mesh.hasTraces} />
      </div>
    </>
  );
}

function linesOf(headers: string): readonly string[] {
  return headers.split("\n").flatMap((line) => line.trim() || []);
}

function commandOf({
  from = "WORKLOAD",
  to = "URL",
  method = "GET",
  headers = "",
}: Readonly<Record<string, string>>) {
  const more = linesOf(headers).map((line) => ` -H '${line}'`);
  return `weft explain --from ${from} --to '${to}'${method === "GET" ? "" : ` -X ${method}`}${more.join("")}`;
}
