import type { HistoryList } from "@weft/control/api/protocol";
import type { ServiceDetail, ServiceRow, VersionRow } from "@weft/control/dashboard/view";
import { HeatMap } from "../chart/heat-map.tsx";
import { visibleRange } from "../chart/visible-range.ts";
import { Empty, Panel, Tiles } from "../panel/panel.tsx";
import { RangeChoice } from "../panel/range-choice.tsx";
import { Sign } from "../panel/signs.tsx";
import { useHistory, useQuery } from "../state/hooks.ts";
import { formatLocation } from "../state/location.ts";
import { formatMs, formatRate, formatShare } from "../words/format.ts";
import { failuresQuery, queriesFor, serviceMatchers, versionsQuery } from "../words/promql.ts";
import { severityOf, troublesOf } from "../words/troubles.ts";
import { EdgeTable } from "./edge-table.tsx";
import { newestFirst } from "./event-list.tsx";
import { FailingCallsTable } from "./failing-calls-table.tsx";
import { HistoryCharts } from "./history-charts.tsx";
import { shortOrigin } from "./origin.tsx";
import type { PageProps } from "./page.ts";
import { RecentFailuresTable } from "./recent-failures-table.tsx";
import { RolloutPanel } from "./rollout-panel.tsx";
import { PoliciesTable, RoutesTable } from "./service-config.tsx";
import { VersionsPanel } from "./versions-panel.tsx";

/** One service: what comes in and goes out, its versions, how long calls take, what is configured, and what fails. */
export function ServicePage({ view, location }: PageProps) {
  const id = location.about;
  const service = view.tables.services[id];
  const history = useHistory(`service:${id}`);
  const detail = useQuery<ServiceDetail>(
    service?.hostname ? `services/${encodeURIComponent(service.hostname)}` : undefined,
    5_000,
  );
  const versions = Object.entries(view.tables.versions).filter(
    ([, row]) => row.namespace === service?.namespace && row.service === service.name,
  );
  const parts = useVersionHistories(versions);
  if (!service) {
    return (
      <Panel title={id} cli="weft stat">
        <Empty
          why="There is no such service now."
          todo={<a href={formatLocation({ page: "services" })}>All services there are</a>}
        />
      </Panel>
    );
  }
  const edges = Object.entries(view.tables.edges);
  const callers = edges.filter(([, { to }]) => to === id);
  const matchers = serviceMatchers(service);
  const events = newestFirst(view.tables.events).filter(({ kind, message }) =>
    isAbout(kind, message, service),
  );
  const known = detail.state === "ready" ? detail.value : undefined;
  return (
    <>
      <Head service={service} detail={known} />
      <ServiceTiles service={service} />
      <RolloutPanel namespace={service.namespace} name={service.name} />
      <RangeChoice location={location} />
      <HistoryCharts
        history={history}
        events={events}
        cli={`weft stat ${service.name}`}
        queries={queriesFor(matchers)}
        location={location}
        parts={parts}
      />
      <Panel
        title="Latency, all of it"
        note="calls by how long they took"
        cli={`weft stat ${service.name} --by version`}
        promql={`sum by (le) (rate(istio_request_duration_milliseconds_bucket{reporter="destination",${matchers.join(",")}}[1m]))`}
      >
        {history.state === "ready" && history.value?.heat ? (
          <HeatMap report={visibleRange(history.value, location.options.range ?? "")} events={events} />
        ) : (
          <Empty
            why="Nobody has measured how long calls to this service take."
            todo="HTTP and gRPC calls are measured by its own sidecar as soon as there are any; TCP has no latency."
          />
        )}
      </Panel>
      <div class="grid two">
        <VersionsPanel
          service={service}
          versions={versions.map(([, row]) => row)}
          callers={callers}
          detail={known}
          promql={versionsQuery(matchers)}
        />
        <Panel
          title="Failing calls"
          note="last two minutes, alike together"
          cli={`weft stat ${service.name} --by version`}
          promql={failuresQuery(matchers)}
        >
          <FailingCallsTable failures={known?.failures ?? []} isKnown={known !== undefined} />
        </Panel>
        <Panel
          title="Recent failing requests"
          note="as the data planes remember them"
          cli={`weft logs --to ${service.name}.${service.namespace} --status 400-599 -o wide`}
          promql={failuresQuery(matchers)}
        >
          <RecentFailuresTable failures={known?.recentFailures ?? []} isKnown={known !== undefined} />
        </Panel>
        <Panel
          title="In"
          note="who calls it"
          cli={`weft stat --to ${service.name}`}
          promql={inQuery(matchers)}
        >
          <EdgeTable edges={callers} without="to" />
        </Panel>
        <Panel
          title="Out"
          note="what it calls"
          cli={`weft stat --from ${service.name}`}
          promql={outQuery(service)}
        >
          <EdgeTable edges={edges.filter(([, { from }]) => from === id)} without="from" />
        </Panel>
        <Panel
          title="Routes"
          note={known?.destinationRule ? `subsets at ${shortOrigin(known.destinationRule)}` : ""}
          cli={`weft proxy-config routes ${callerHint(callers)}`}
        >
          <RoutesTable detail={detail} />
        </Panel>
        <Panel title="Policies" note={known?.mtlsModes.join(", ") ?? ""} cli="weft get authorizationpolicies">
          <PoliciesTable detail={detail} />
        </Panel>
      </div>
    </>
  );
}

const maxParts = 4;

/** What each of several versions got; of one alone the whole says it. */
function useVersionHistories(versions: readonly (readonly [string, VersionRow])[]) {
  const shown = versions.length > 1 ? versions.slice(0, maxParts) : [];
  const query = shown.map(([id]) => `id=${encodeURIComponent(`version:${id}`)}`).join("&");
  const found = useQuery<HistoryList>(query === "" ? undefined : `history?${query}`);
  if (found.state !== "ready") return [];
  return shown.flatMap(([, { version }], i) => {
    const history = found.value.histories[i];
    return history ? { label: version, history } : [];
  });
}

function Head({
  service,
  detail,
}: {
  readonly service: ServiceRow;
  readonly detail: ServiceDetail | undefined;
}) {
  const id = `${service.namespace}/${service.name}`;
  return (
    <header class="page-head">
      <Sign severity={severityOf(service)} />
      <h1>
        {service.name} <small>{service.namespace || "outside the mesh"}</small>
      </h1>
      <p class="note">
        {service.hostname}
        {detail &&
          detail.ports.length > 0 &&
          ` · ${detail.ports.map(({ number, protocol }) => `${number} ${protocol}`).join(", ")}`}
      </p>
      <a class="button" href={formatLocation({ page: "topology", options: { focus: id } })}>
        In the topology
      </a>
    </header>
  );
}

function ServiceTiles({ service }: { readonly service: ServiceRow }) {
  const [trouble] = troublesOf(service);
  const { healthy, instances, meshed, strict } = service;
  return (
    <Tiles
      tiles={[
        { label: "Calls per second", value: formatRate(service.requestsPerSecond) },
        {
          label: "Success",
          value: formatShare(service.successRate),
          tone: trouble?.text.includes("fail") ? trouble.severity : undefined,
        },
        { label: "Latency p50", value: formatMs(service.p50Ms) },
        { label: "Latency p99", value: formatMs(service.p99Ms) },
        {
          label: "Over mutual TLS",
          value: formatShare(service.securedRate),
          note: strict > 0 ? "demanded (STRICT)" : "",
        },
        { label: "Open TCP", value: String(service.tcpConnections) },
        {
          label: "Instances",
          value: `${healthy}/${instances}`,
          note: service.isExternal ? "outside the mesh" : `healthy, ${meshed} with a sidecar`,
          tone: healthy < instances ? (healthy === 0 ? "bad" : "warn") : undefined,
        },
        {
          label: "Saturation",
          value: formatShare(service.loopUtilization),
          note: `${service.pending ?? 0} calls wait`,
        },
      ]}
    />
  );
}

/** Changes of configuration are about every service; the rest only where its name is in it. */
function isAbout(kind: string, message: string, { name, namespace }: ServiceRow): boolean {
  if (kind === "apply" || kind === "delete" || kind === "config") return true;
  if (kind === "rollout" || kind === "canary") return message.startsWith(`${namespace}/${name}: `);
  return (
    message.includes(`${name}-`) ||
    message.includes(`/ns/${namespace}/sa/${name}`) ||
    message.includes(`${name}.`)
  );
}

function inQuery(matchers: readonly string[]): string {
  return `sum by (source_workload) (rate(istio_requests_total{reporter="destination",${matchers.join(",")}}[1m]))`;
}

function outQuery({ name, namespace }: ServiceRow): string {
  return `sum by (destination_service_name) (rate(istio_requests_total{reporter="destination",source_canonical_service=${JSON.stringify(name)},source_workload_namespace=${JSON.stringify(namespace)}}[1m]))`;
}

function callerHint(callers: readonly (readonly [string, { readonly from: string }])[]): string {
  const inside = callers.find(([, { from }]) => !from.startsWith("/"));
  return inside ? inside[1].from.split("/")[1]! : "WORKLOAD";
}
