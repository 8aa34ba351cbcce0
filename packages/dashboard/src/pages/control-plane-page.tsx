import type { ProxyStatus, TypeSync } from "@weft/control/api/protocol";
import { DataTable } from "../panel/data-table.tsx";
import { Empty, Panel, Tiles } from "../panel/panel.tsx";
import { formatAge, formatMs } from "../words/format.ts";
import { ConfigPanel } from "./config-panel.tsx";
import type { PageProps } from "./page.ts";

const types = ["CDS", "LDS", "EDS", "RDS", "NDS"] as const;
const order = { nacked: 0, stale: 1, "not sent": 2, synced: 3 } as const;

/** What each data plane was told and what it answered, and the configuration with what is wrong with it. */
export function ControlPlanePage({ view, location }: PageProps) {
  const { mesh, tables } = view;
  const proxies = Object.values(tables.proxies).sort(
    (a, b) => order[a.state] - order[b.state] || (a.nodeId < b.nodeId ? -1 : 1),
  );
  const count = (state: ProxyStatus["state"]) => proxies.filter((proxy) => proxy.state === state).length;
  const errors = proxies.flatMap(({ workload, role, types: all }) =>
    all.flatMap(({ type, error }) => (error ? { workload, role, type, error } : [])),
  );
  return (
    <>
      <Tiles
        tiles={[
          { label: "In sync", value: `${count("synced")}/${proxies.length}` },
          { label: "Behind", value: String(count("stale")), tone: count("stale") > 0 ? "warn" : undefined },
          {
            label: "Refused (NACK)",
            value: String(count("nacked")),
            tone: count("nacked") > 0 ? "bad" : undefined,
          },
          { label: "Change to last ACK, p99", value: formatMs(mesh.convergenceP99Ms) },
          { label: "Revision", value: String(mesh.revision) },
          { label: "Up", value: formatAge(mesh.atMs - mesh.startedAtMs), note: `version ${mesh.version}` },
        ]}
      />
      {errors.map(({ workload, role, type, error }) => (
        <p key={`${workload}${role}${type}`} class="banner bad" role="status">
          <b>
            {workload} ({role}) refused {type}:
          </b>{" "}
          {error}
        </p>
      ))}
      <Panel
        title="Data planes"
        note="how long ago each was answered, and how long that took"
        cli="weft status"
        promql="sum by (type) (rate(pilot_xds_pushes[5m]))"
      >
        {proxies.length === 0 ? (
          <Empty
            why="No data plane is connected."
            todo={
              <>
                <code>weft run</code> starts a program with one; <code>weft check</code> finds out what keeps
                it away.
              </>
            }
          />
        ) : (
          <DataTable
            caption="Data planes and what they acknowledged"
            rows={proxies}
            keyOf={({ nodeId }) => nodeId}
            limit={60}
            columns={[
              {
                title: "Data plane",
                cell: ({ workload, role, dataPlane }) => (
                  <span>
                    {workload}
                    <small>{role === "sidecar" ? dataPlane || "sidecar" : role}</small>
                  </span>
                ),
                sort: ({ workload, role }) => `${workload} ${role}`,
              },
              {
                title: "State",
                cell: ({ state }) => <State state={state} />,
                sort: ({ state }) => order[state],
              },
              ...types.map((type) => ({
                title: type,
                cell: (proxy: ProxyStatus) => (
                  <Answer sync={proxy.types.find((one) => one.type === type)} nowMs={mesh.atMs} />
                ),
              })),
              {
                title: "Revision",
                isNumber: true,
                cell: ({ ackedRevision }) => String(ackedRevision),
                sort: ({ ackedRevision }) => ackedRevision,
              },
              {
                title: "Connected",
                isNumber: true,
                cell: ({ connectedAtMs }) => formatAge(mesh.atMs - connectedAtMs),
                sort: ({ connectedAtMs }) => connectedAtMs,
              },
            ]}
          />
        )}
      </Panel>
      <ConfigPanel problems={Object.values(tables.problems)} location={location} revision={mesh.revision} />
    </>
  );
}

const signs = { synced: "✓", stale: "…", nacked: "✕", "not sent": "–" } as const;

function State({ state }: { readonly state: ProxyStatus["state"] }) {
  return (
    <span class={`state ${state.replace(" ", "-")}`}>
      <span aria-hidden="true">{signs[state]}</span> {state}
    </span>
  );
}

/** One type: whether it was taken, how long the answer took, and how long ago that was. */
function Answer({ sync, nowMs }: { readonly sync: TypeSync | undefined; readonly nowMs: number }) {
  if (!sync) return <span class="note">–</span>;
  const { state, sentAtMs, ackedAtMs, error } = sync;
  const hasAnswer = ackedAtMs !== undefined && sentAtMs !== undefined && ackedAtMs >= sentAtMs;
  const word = error ? "NACK" : hasAnswer ? `ACK ${formatMs(ackedAtMs - sentAtMs)}` : state;
  const at = ackedAtMs ?? sentAtMs;
  return (
    <span class={`state ${state.replace(" ", "-")}`} title={error ?? ""}>
      <span aria-hidden="true">{signs[state]}</span> {word}
      {at !== undefined && <small>{formatAge(nowMs - at)} ago</small>}
    </span>
  );
}
