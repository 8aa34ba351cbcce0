import { once } from "node:events";
import { closeSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import type { JsonObject } from "@bufbuild/protobuf";
import { contentTypes } from "@weft/base/exposition";
import { MetricRegistry } from "@weft/base/metric-registry";
import { renderPrometheusText } from "@weft/base/prometheus-text";
import { startSeriesExpiry, usualSeriesIdleMs } from "@weft/base/series-expiry";
import { tellOverflows } from "@weft/base/series-overflow";
import type { BundleMap } from "@weft/identity/spiffe-bundle";
import { parseTrustDomain } from "@weft/identity/spiffe-id";
import { controlPlaneSpiffeId, workloadSpiffeId } from "@weft/identity/workload-id";
import { isExpiringMetric } from "@weft/proxy/filters/istio-metrics";
import { encodePeerMetadata, localPeerMetadata } from "@weft/proxy/telemetry/peer-metadata";
import { accessLogMetrics } from "@weft/xds/access-log-metrics";
import { clientFeature } from "@weft/xds/client-feature";
import { metricSettings } from "@weft/xds/metric-settings";
import { sidecarEnvironment } from "@weft/xds/sidecar-environment";
import { parse } from "yaml";
import type { CleanupStack } from "../cleanup-stack.ts";
import type { IdentityKeeper } from "../enrolment/identity-keeper.ts";
import { everyAddress, hasIpv6 } from "../interception/has-ipv6.ts";
import { buildLaunch } from "../launch.ts";
import type { DataPlaneOptions, MemberOptions } from "../member-options.ts";
import { AccessLogMetrics } from "../metrics/access-log-metrics.ts";
import { accessLogRoute } from "../metrics/access-log-service.ts";
import { AppMetrics, appMetricsTarget } from "../metrics/app-metrics.ts";
import type { MetricOptions } from "../metrics/metric-options.ts";
import type { MetricsReporterOptions } from "../metrics/metrics-reporter.ts";
import { startStatsPage } from "../metrics/stats-page.ts";
import { LoggedRequests } from "../observe/logged-requests.ts";
import type { RequestSource } from "../observe/request-source.ts";
import { SidecarRequests } from "../observe/sidecar-requests.ts";
import { ports } from "../ports.ts";
import { openAccessLog, openConfigFolder, type RunDirectory, writeBootstrap } from "../run-directory.ts";
import { nodeCluster, nodeId, nodeMetadata, type WorkloadPlan } from "../workload-plan.ts";
import { askAdmin } from "./admin-client.ts";
import { buildBootstrap, type Endpoint } from "./bootstrap.ts";
import type { DataPlane } from "./data-plane.ts";
import type { ProxySettings } from "./proxy-settings.ts";
import { startSecretServer } from "./secret-server.ts";
import { Sidecar } from "./sidecar.ts";
import { chooseSidecarUser } from "./sidecar-user.ts";

/** A sidecar that has all it needs and is not started yet. */
export interface PreparedSidecar {
  readonly process: Sidecar;
  /** How it is started from then on. */
  readonly configure: (settings: ProxySettings) => void;
  /** Where its requests can be seen. */
  readonly requests: RequestSource;
  readonly metrics: Pick<MetricsReporterOptions, "scrape" | "startedMs">;
  /** What it was started with, as JSON text; holds no secret. */
  readonly bootstrap: string;
  /** What it verifies identities of other trust domains with, from now on. */
  readonly setForeign: (map: BundleMap) => void;
}

/**
 * Opens the socket of the sidecar's secrets and writes its bootstrap.
 *
 * @throws UserError
 */
export async function prepareSidecar(
  options: DataPlaneOptions,
  dataPlane: DataPlane,
  files: RunDirectory,
  keeper: IdentityKeeper,
  cleanup: CleanupStack,
): Promise<PreparedSidecar> {
  const { plan, clock, talk, isRoot } = options;
  const command = dataPlane.command(files);
  const programs = command.filter((part, index) => index === 0 || (index === 1 && part.startsWith("/")));
  const user = chooseSidecarUser({ programs, runDir: files.path, isGateway: plan.isGateway }, isRoot, talk);
  openConfigFolder(files, user);
  const admin = await adminEndpoint(plan);
  const scrape = async () => (await askAdmin(admin, "GET", "/stats/prometheus")).body;
  const counted = dataPlane.hasIstioMetrics ? undefined : countFromAccessLogs(options);
  const secrets = await startSecretServer({
    path: files.sdsSocketPath,
    svid: keeper.svid,
    owner: user,
    byDomain: dataPlane.kind === "envoy",
    routes: counted ? [counted.route] : [],
    clock,
    talk,
    onHeld: options.onHeld,
  });
  cleanup.add("secrets", () => secrets.close());
  keeper.onRotated((svid) => secrets.rotate(svid));

  const hasPage = counted !== undefined || options.appMetrics !== undefined;
  if (hasPage) {
    const registry = counted?.registry ?? new MetricRegistry();
    const stats = await startStatsPage({
      path: files.statsSocketPath,
      owner: user,
      scrape: async (format) =>
        (await askAdmin(admin, "GET", "/stats/prometheus", contentTypes[format])).body,
      // What an application says is text.
      scrapeMessages: options.appMetrics
        ? undefined
        : async () => {
            const asked = "/stats/prometheus?histogram_buckets=prometheusnative";
            const { contentType, bytes } = await askAdmin(admin, "GET", asked, contentTypes.protobuf);
            return contentType.startsWith(messageType) ? bytes : undefined;
          },
      hasOpenMetrics: counted === undefined,
      registry,
      app: options.appMetrics && new AppMetrics(appMetricsTarget(plan, options.appMetrics), registry),
    });
    cleanup.add("statistics", () => stats.close());
  }
  const outside = plan.capture === "nft" ? everyAddress() : plan.addresses;
  const bootstrap = buildBootstrap({
    nodeId: nodeId(plan, "sidecar"),
    nodeCluster: nodeCluster(plan),
    metadata: nodeMetadata(plan, options.productVersion) as JsonObject,
    locality: plan.locality,
    clientFeatures: [
      ...(hasIpv6() ? [clientFeature.ipv6] : []),
      ...(counted ? [clientFeature.accessLogMetrics] : []),
    ],
    controlPlane: plan.controlPlane,
    controlPlaneSpiffeId: controlPlaneSpiffeId(parseTrustDomain(plan.trustDomain)),
    sdsSocketPath: files.sdsSocketPath,
    admin,
    stats: { addresses: outside, port: ports.stats },
    ...(hasPage ? { statsSocketPath: files.statsSocketPath } : {}),
    metrics: counted ? {} : options.metrics,
    health: { addresses: outside, port: ports.health },
  });
  writeBootstrap(files.bootstrapPath, bootstrap);
  const accessLog = openAccessLog(options.accessLog);
  if (typeof accessLog === "number") cleanup.add("access log", () => closeSync(accessLog));
  let settings: ProxySettings | undefined;
  const process = new Sidecar({
    launch: () =>
      buildLaunch(withoutCore(dataPlane.command(files, settings)), user, "SIGKILL", options.setpriv),
    admin,
    stdio: ["ignore", accessLog, "inherit"],
    env: () => ({
      ...passedOn(),
      ...settings?.environment,
      ...signalsEnvironment(plan, options.productVersion),
      ...counted?.env,
    }),
    clock,
    talk,
  });
  return {
    process,
    configure: (said) => {
      settings = said;
      if (!counted) return;
      // Who starts it here knows best.
      const expiry = counted.begin({ ...metricSettings(said.environment), ...defined(options.metrics) });
      cleanup.add("series", () => expiry.close());
    },
    setForeign: (map) => secrets.setForeign(map),
    bootstrap: JSON.stringify(parse(bootstrap)),
    requests: counted?.requests ?? new SidecarRequests(files.requestsSocketPath, clock),
    metrics: counted
      ? { scrape: async () => counted.render(), startedMs: () => counted.startedMs }
      : { scrape, startedMs: () => process.startedMs },
  };
}

const [messageType = ""] = contentTypes.protobuf.split(";");

/** What was said, of options that may be there and say nothing. */
function defined(options: MetricOptions): MetricOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** The other end of the access logs that stand in for a sidecar's own Istio metrics. */
function countFromAccessLogs({ plan, productVersion, clock }: MemberOptions) {
  const registry = new MetricRegistry();
  tellOverflows(registry);
  const local = localPeerMetadata(nodeMetadata(plan, productVersion));
  const { service, namespace, trustDomain, serviceAccount } = plan;
  const counted = new AccessLogMetrics({
    registry,
    local,
    localService: service
      ? { host: `${service}.${namespace}.svc.cluster.local`, name: service, namespace }
      : undefined,
    localPrincipal: workloadSpiffeId(parseTrustDomain(trustDomain), namespace, serviceAccount),
  });
  const requests = new LoggedRequests(clock, counted);
  return {
    registry,
    requests,
    route: accessLogRoute(counted, requests),
    render: () => renderPrometheusText(registry),
    /** Before the first call is counted. */
    begin({ maxSeries, hasNativeHistograms = false, seriesIdleMs = usualSeriesIdleMs }: MetricOptions) {
      counted.maxSeries = maxSeries;
      registry.hasNativeHistograms = hasNativeHistograms;
      return startSeriesExpiry({ registry, clock, idleMs: seriesIdleMs, isExpiring: isExpiringMetric });
    },
    startedMs: clock.now(),
    env: { [accessLogMetrics.peerMetadataVariable]: encodePeerMetadata(local) },
  };
}

/**
 * Where the sidecar's admin interface listens. Its endpoints can end the
 * sidecar, so it is never on an address others can reach; workloads that share
 * a machine's loopback each get a port of their own.
 */
async function adminEndpoint(plan: WorkloadPlan): Promise<Endpoint> {
  if (plan.capture === "nft") return { address: "127.0.0.1", port: ports.admin };
  const [first = ""] = plan.addresses;
  if (first.startsWith("127.")) return { address: first, port: ports.admin };
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return { address: "127.0.0.1", port };
}

/** A core file would hold the workload's key. Our own sidecar sees to it that there is none, whatever the limit. */
function withoutCore(command: readonly string[]): readonly string[] {
  return ["/bin/sh", "-c", 'ulimit -c 0; exec "$0" "$@"', ...command];
}

/** Neither the join token nor what a person set for the application, as NODE_OPTIONS; and what is meant for tags of spans. */
function passedOn(): NodeJS.ProcessEnv {
  const { PATH, LANG, TZ } = process.env;
  const tags = Object.entries(process.env).filter(([name]) => name.startsWith("WEFT_TAG_"));
  return { PATH, LANG, TZ, ...Object.fromEntries(tags) };
}

/** By which the data plane says in spans whose they are. */
function signalsEnvironment(plan: WorkloadPlan, productVersion: string): NodeJS.ProcessEnv {
  const metadata = nodeMetadata(plan, productVersion);
  const { canonicalName, canonicalRevision, cluster, namespace } = localPeerMetadata(metadata);
  const more = process.env.OTEL_RESOURCE_ATTRIBUTES;
  return {
    [sidecarEnvironment.canonicalService]: canonicalName,
    [sidecarEnvironment.canonicalRevision]: canonicalRevision,
    [sidecarEnvironment.clusterId]: cluster,
    [sidecarEnvironment.meshId]: String((metadata as { MESH_ID?: unknown }).MESH_ID ?? ""),
    [sidecarEnvironment.namespace]: namespace,
    OTEL_RESOURCE_ATTRIBUTES: `service.name=${nodeCluster(plan)}${more ? `,${more}` : ""}`,
  };
}
