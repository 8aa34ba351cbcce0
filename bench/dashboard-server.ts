/** For bench/dashboard.ts: the control plane's dashboard on a mesh of made-up services whose sidecars report every two seconds. */
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { systemClock } from "@weft/base/clock";
import { MetricRegistry } from "@weft/base/metric-registry";
import { authenticateHere, requireThisMachine } from "../packages/control/src/access/dashboard-session.ts";
import type { ApiBackend } from "../packages/control/src/api/backend.ts";
import { localOperator } from "../packages/control/src/api/caller.ts";
import { serveApi } from "../packages/control/src/api/serve-api.ts";
import type { ControlApi } from "../packages/control/src/compose/control-api.ts";
import { EventLog } from "../packages/control/src/compose/event-log.ts";
import { startHttpEndpoints } from "../packages/control/src/compose/http-endpoints.ts";
import { MeshDashboard, openDashboard } from "../packages/control/src/compose/mesh-dashboard.ts";
import type { MeshPipeline } from "../packages/control/src/compose/mesh-pipeline.ts";
import { DashboardSessions } from "../packages/control/src/dashboard/sessions.ts";
import type { Workload } from "../packages/control/src/registry/workload.ts";
import { MetricHistory } from "../packages/control/src/telemetry/metric-history.ts";
import { keptMetrics, type Labels, type Sample } from "../packages/control/src/telemetry/sample.ts";

const [services, edgeCount] = process.argv.slice(2).map(Number) as [number, number];
const clock = systemClock;
const bounds = [0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000];

const workloads: readonly Workload[] = Array.from({ length: services * 2 }, (_, i) => {
  const service = `service-${Math.floor(i / 2)}`;
  const version = `v${(i % 2) + 1}`;
  const namespace = `team-${Math.floor(i / 2) % 12}`;
  return {
    id: `${service}-${version}.${namespace}`,
    name: `${service}-${version}`,
    workloadName: `${service}-${version}`,
    namespace,
    serviceAccount: service,
    service,
    labels: { app: service, version },
    addresses: ["10.0.0.1"],
    ports: [],
    interception: "REDIRECT",
    upstreams: [],
    isHealthy: true,
    hasSidecar: true,
  };
});

/**
 * Who calls each service: as many as make the number of edges, from earlier
 * services, four of five of them of its own team. The front ones call, and are
 * called by nobody.
 */
const perService = Math.ceil(edgeCount / services);
const callersOf = workloads.map((_, i) => {
  const self = Math.floor(i / 2);
  const tier = Math.floor((self * 5) / services);
  const earlier = (k: number): number => {
    const place = (self * 7 + k * 13) % Math.max(1, Math.floor((tier * services) / 5));
    return k % 5 === 4 ? place : place - ((place - self) % 12);
  };
  if (tier === 0) return [];
  const callers = Array.from({ length: Math.ceil((perService * 5) / 4) }, (_, k) => Math.max(0, earlier(k)));
  return [...new Set(callers)].map((caller) => workloads[caller * 2 + (i % 2)]!);
});

const history = new MetricHistory({ clock });
const counts = workloads.map(() => 0);
function report(): void {
  workloads.forEach((workload, i) => {
    counts[i]! += 1 + Math.floor(Math.random() * 20);
    const samples = callersOf[i]!.flatMap((caller, k) => samplesOf(caller, counts[i]! * (k + 1)));
    history.record(workload.id, [
      ...samples,
      { metric: keptMetrics.loopUtilization, labels: {}, value: Math.random() },
    ]);
  });
}

function samplesOf(caller: Workload, count: number): Sample[] {
  const labels: Labels = {
    reporter: "destination",
    source_principal: `spiffe://cluster.local/ns/${caller.namespace}/sa/${caller.serviceAccount}`,
    source_workload: caller.workloadName,
    source_workload_namespace: caller.namespace,
    connection_security_policy: "mutual_tls",
    response_code: "200",
  };
  const buckets = {
    bounds,
    counts: [...bounds, 0].map((_, i) => Math.round(count / (1 + Math.abs(i - 3) ** 2))),
  };
  return [
    { metric: keptMetrics.requests, labels, value: count },
    {
      metric: keptMetrics.requests,
      labels: { ...labels, response_code: "503" },
      value: Math.floor(count / 50),
    },
    { metric: keptMetrics.duration, labels, value: count, buckets },
  ];
}

const statuses = workloads.map(
  ({ id, workloadName, namespace, serviceAccount, service, labels, addresses }) => ({
    id,
    workloadName,
    namespace,
    serviceAccount,
    service,
    version: labels.version ?? "",
    addresses,
    ports: [8080],
    isHealthy: true,
    isConnected: true,
  }),
);
const api = {
  status: () => ({
    version: "bench",
    trustDomain: "cluster.local",
    startedAtMs: 0,
    nowMs: clock.now(),
    revision: 1,
    services,
    proxies: [],
    workloads: statuses,
    diagnostics: [],
    convergence: { count: 0 },
  }),
  signalsInput: (windowMs: number) => ({
    windows: history.windows(windowMs),
    workloads,
    trustDomain: "cluster.local",
    domainSuffix: "cluster.local",
    nowMs: clock.now(),
  }),
  caStatus: () => ({ rootNotAfterMs: clock.now() + 1e10 }),
  listResources: () => ({ revision: 1, resources: [] }),
  droppedSeries: 0,
} as unknown as ControlApi;
const pipeline = {
  current: { mesh: { services: new Map(), workloads: new Map() } },
} as unknown as MeshPipeline;

const sessions = new DashboardSessions(clock);
const onError = (error: unknown): void => console.error(error);
const directory = join(import.meta.dirname, "..", "packages", "cli", "dist", "dashboard");
const events = new EventLog(clock);
const dashboard = new MeshDashboard({
  clock,
  api,
  pipeline,
  events,
  sessions,
  source: { directory },
  onError,
});
const authenticate = (request: IncomingMessage) => authenticateHere(request, sessions);
const { port } = await startHttpEndpoints({
  address: "127.0.0.1",
  port: 0,
  metrics: new MetricRegistry(),
  notReady: () => undefined,
  keySet: () => "{}",
  scrapeTargets: () => [],
  dashboard: dashboard.serve({ admit: requireThisMachine, authenticate }),
  api: serveApi({
    backend: { questions: dashboard } as unknown as ApiBackend,
    authenticate,
    record: () => {},
    logError: onError,
  }),
});
report();
setInterval(report, 2_000);
dashboard.start();
process.on("message", (question) => {
  if (question === "login")
    process.send!(openDashboard(sessions, localOperator, `http://127.0.0.1:${port}`, clock).url);
  else {
    const { user, system } = process.cpuUsage();
    process.send!((user + system) / 1_000);
  }
});
process.on("disconnect", () => process.exit(0));
process.send!("ready");
