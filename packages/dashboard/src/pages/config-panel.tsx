import type { Diagnostic } from "@weft/base/diagnostics";
import type { ResourceIndex, ResourceRecord, ResourceSummary } from "@weft/control/api/protocol";
import { DataTable } from "../panel/data-table.tsx";
import { Empty, Panel } from "../panel/panel.tsx";
import { useQuery } from "../state/hooks.ts";
import { formatLocation, type Location } from "../state/location.ts";
import { formatTime } from "../words/format.ts";
import { Origin } from "./origin.tsx";
import { problemsOfLines } from "./problems-of-lines.ts";

export interface ConfigPanelProps {
  readonly problems: readonly Diagnostic[];
  readonly location: Location;
  /** Asks again when it changes. */
  readonly revision: number;
}

/** Every resource in force, and one of them as it was written with its problems marked. */
export function ConfigPanel({ problems, location, revision }: ConfigPanelProps) {
  const resources = useQuery<ResourceIndex>(`resource-index#${revision}`);
  const { resource = "" } = location.options;
  return (
    <>
      <Panel
        title="Configuration"
        note={
          problems.length > 0
            ? `${problems.length} ${problems.length === 1 ? "finding" : "findings"}`
            : "nothing found wrong"
        }
        cli="weft get all"
        promql="weft_config_errors"
      >
        {problems.length > 0 && (
          <ul class="problems">
            {problems.map((problem, i) => (
              <li key={String(i)} class={problem.severity}>
                <b>
                  {problem.severity} {problem.code}
                </b>{" "}
                {problem.message} {problem.hint && <span class="note">{problem.hint}</span>}{" "}
                <Origin origin={originText(problem)} />
              </li>
            ))}
          </ul>
        )}
        {resources.state === "ready" && resources.value.resources.length === 0 && (
          <Empty
            why="Nothing has been applied: services are those that registered, and everyone may call everyone."
            todo={
              <>
                Istio's YAML works as it is: <code>weft apply -f FILE</code>
              </>
            }
          />
        )}
        {resources.state === "ready" && resources.value.resources.length > 0 && (
          <DataTable
            caption="Resources in force"
            rows={resources.value.resources}
            keyOf={keyOf}
            columns={[
              {
                title: "Resource",
                cell: (row) => (
                  <a href={formatLocation({ ...location, options: { resource: keyOf(row) } })}>
                    {row.kind} {row.namespace}/{row.name}
                  </a>
                ),
                sort: keyOf,
              },
              { title: "Written at", cell: ({ origin }) => <Origin origin={origin} /> },
              { title: "From", cell: ({ source }) => source },
              {
                title: "Changed",
                isNumber: true,
                cell: ({ changedAtMs }) => formatTime(changedAtMs),
                sort: ({ changedAtMs }) => changedAtMs,
              },
            ]}
          />
        )}
      </Panel>
      {resource && <ResourceText name={resource} problems={problems} />}
    </>
  );
}

function ResourceText({
  name,
  problems,
}: {
  readonly name: string;
  readonly problems: readonly Diagnostic[];
}) {
  const found = useQuery<ResourceRecord>(`resources/${name.split("/").map(encodeURIComponent).join("/")}`);
  const [kind = "", namespace = "", own = ""] = name.split("/");
  const cli = `weft get ${kind} ${own} -n ${namespace} -o yaml`;
  if (found.state !== "ready") {
    return (
      <Panel title={name} cli={cli}>
        <Empty why={found.state === "failed" ? found.why : "Asking for it…"} />
      </Panel>
    );
  }
  const { text, origin } = found.value;
  const firstLine = Number(/:(\d+)$/.exec(origin)?.[1] ?? 1);
  const byLine = problemsOfLines(problems, origin.replace(/:\d+$/, ""));
  return (
    <Panel title={name} note={origin} cli={cli}>
      <ol class="source" start={firstLine}>
        {text
          .trimEnd()
          .split("\n")
          .map((line, i) => {
            const own = byLine.get(firstLine + i) ?? [];
            return (
              <li
                key={String(i)}
                class={own.length > 0 ? `marked ${own[0]!.severity}` : ""}
                value={firstLine + i}
              >
                <code>{line || " "}</code>
                {own.map(({ code, message, severity }) => (
                  <p key={`${code}${message}`}>
                    {severity} {code}: {message}
                  </p>
                ))}
              </li>
            );
          })}
      </ol>
    </Panel>
  );
}

function keyOf({ kind, namespace, name }: ResourceSummary): string {
  return `${kind}/${namespace}/${name}`;
}

function originText({ origin }: Diagnostic): string | undefined {
  return origin && `${origin.file}:${origin.line}:${origin.column}`;
}
