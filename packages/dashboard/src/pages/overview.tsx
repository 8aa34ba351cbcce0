import { DataTable } from "../panel/data-table.tsx";
import { Empty, Panel, Tiles } from "../panel/panel.tsx";
import { RangeChoice } from "../panel/range-choice.tsx";
import { useHistory } from "../state/hooks.ts";
import { formatBytes, formatMs, formatRate, formatShare } from "../words/format.ts";
import { queriesFor, servicesQuery } from "../words/promql.ts";
import { byTrouble } from "../words/troubles.ts";
import { EventList, newestFirst } from "./event-list.tsx";
import { HistoryCharts } from "./history-charts.tsx";
import type { PageProps } from "./page.ts";
import { serviceColumns } from "./service-columns.tsx";

const queries = queriesFor([]);

/** The mesh at a glance: its golden signals, who is in trouble, and what has changed. */
export function Overview({ view, location }: PageProps) {
  const { mesh, tables } = view;
  const history = useHistory("mesh");
  const events = newestFirst(tables.events);
  const services = Object.values(tables.services).filter(({ isExternal }) => !isExternal);
  const problems = Object.values(tables.problems).filter(({ severity }) => severity === "error").length;
  const failing = mesh.successRate === undefined ? undefined : 1 - mesh.successRate;
  return (
    <>
      <Tiles
        tiles={[
          { label: "Calls per second", value: formatRate(mesh.requestsPerSecond) },
          {
            label: "Success",
            value: formatShare(mesh.successRate),
            tone: failing && failing > 0.05 ? "bad" : failing && failing > 0.005 ? "warn" : undefined,
          },
          { label: "Latency p50", value: formatMs(mesh.p50Ms) },
          { label: "Latency p99", value: formatMs(mesh.p99Ms) },
          { label: "Over mutual TLS", value: formatShare(mesh.securedRate) },
          { label: "Open TCP", value: String(mesh.tcpConnections) },
          {
            label: "Saturation",
            value: formatShare(mesh.loopUtilization),
            note: `${formatBytes(mesh.memoryBytes)} in ${Object.keys(tables.workloads).length} data planes`,
            tone: (mesh.loopUtilization ?? 0) > 0.85 ? "warn" : undefined,
          },
          ...(problems > 0
            ? [{ label: "Configuration", value: `${problems} errors`, tone: "bad" } as const]
            : []),
        ]}
      />
      {mesh.droppedSeries > 0 && (
        <p class="banner" role="status">
          {mesh.droppedSeries} series were not kept because a workload sends too many: numbers are too low.
        </p>
      )}
      <RangeChoice location={location} />
      <HistoryCharts
        history={history}
        events={events}
        cli="weft stat"
        queries={queries}
        location={location}
      />
      <div class="grid two uneven">
        <Panel title="Services" note="the most troubled first" cli="weft stat" promql={servicesQuery}>
          {services.length === 0 ? (
            <Empty
              why="No workload has registered."
              todo={
                <>
                  Start one:{" "}
                  <code>weft run --name web --port 8080 --token-file web.token -- node app.js</code>
                </>
              }
            />
          ) : (
            <DataTable
              caption="Services, the most troubled first"
              rows={byTrouble(services)}
              keyOf={({ namespace, name }) => `${namespace}/${name}`}
              limit={12}
              columns={serviceColumns}
            />
          )}
        </Panel>
        <Panel title="What happened" note="newest first" cli="weft status">
          <EventList events={events} />
        </Panel>
      </div>
    </>
  );
}
