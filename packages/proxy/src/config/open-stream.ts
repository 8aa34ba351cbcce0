import { clone, create } from "@bufbuild/protobuf";
import type { Clock } from "@weft/base/clock";
import { AdsClient } from "@weft/xds/ads-client";
import { clientFeature } from "@weft/xds/client-feature";
import { type DiscoveryService, serviceOf } from "@weft/xds/discovery-service";
import { NodeSchema } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import type { ClusterPlan } from "../cluster/cluster-plan.ts";
import type { BootstrapPlan } from "./bootstrap.ts";
import { type GrpcSource, parseSource } from "./config-source.ts";
import { type ConnectionWords, connectionReport } from "./connection-report.ts";
import { openFileResources } from "./file-resources.ts";
import { grpcTarget } from "./grpc-target.ts";
import type { ResourceHandler, ResourceStream } from "./xds-session.ts";

export interface StreamDependencies extends ConnectionWords {
  readonly clock: Clock;
  readonly bootstrap: BootstrapPlan;
  cluster(name: string): ClusterPlan | undefined;
  /** A stream to a server was opened (true) or is lost. */
  onConnected(isConnected: boolean): void;
}

const silent: ResourceStream = { subscribe() {}, subscribeAlso() {}, hold() {}, close() {} };

/** Opens the stream of a type from a source, as `ChosenSource.source` names it; `ads` carries all types. */
export function openStream(
  source: string,
  type: string,
  handle: ResourceHandler,
  deps: StreamDependencies,
): ResourceStream {
  const origin = parseSource(source);
  if (origin.kind === "path") return openFileResources(origin, type, handle, deps.warn);
  const isAds = origin.kind === "ads";
  const server = isAds ? deps.bootstrap.ads! : origin;
  const plan = deps.cluster(server.cluster);
  const target = plan && grpcTarget(plan, server.authority);
  if (!target) {
    deps.warn(`cluster '${server.cluster}' has no endpoint to ask: nothing comes from ${source}`);
    return silent;
  }
  const label = isAds ? "ADS" : `${nameOf(type)} (${server.cluster})`;
  return openClient({ label, target, server, service: isAds ? "aggregated" : serviceOf(type) }, handle, deps);
}

/** `type.googleapis.com/envoy.config.listener.v3.Listener` → `Listener`. */
function nameOf(type: string): string {
  return type.slice(type.lastIndexOf(".") + 1);
}

interface Server {
  /** What people know it by. */
  readonly label: string;
  readonly target: NonNullable<ReturnType<typeof grpcTarget>>;
  readonly server: GrpcSource;
  readonly service: DiscoveryService;
}

function openClient(
  { label, target, server, service }: Server,
  handle: ResourceHandler,
  deps: StreamDependencies,
): ResourceStream {
  const { node } = deps.bootstrap.message;
  const self = node ? clone(NodeSchema, node) : create(NodeSchema);
  self.userAgentName ||= "weft";
  const own = [
    clientFeature.istioStatsNetwork,
    clientFeature.negotiatedHttp,
    clientFeature.explainsReplies,
    // Only delta xDS gives by name what it does not give to who asks for everything.
    ...(server.isDelta ? [clientFeature.onDemandClusters, clientFeature.onDemandHosts] : []),
  ];
  self.clientFeatures = [...new Set([...self.clientFeatures, ...own])];
  const report = connectionReport(label, deps);
  let isConnected = false;
  const client = new AdsClient({
    clock: deps.clock,
    target,
    node: () => self,
    mode: server.isDelta ? "delta" : "sotw",
    service,
    metadata: () => server.metadata,
    onState(state) {
      report(state);
      if (isConnected === (state.t === "connected")) return;
      isConnected = !isConnected;
      deps.onConnected(isConnected);
    },
    handler: {
      onResources(type, update) {
        // State of the world versions responses, not resources.
        const updated = update.added.map((resource) => ({
          ...resource,
          version: resource.version || update.version,
        }));
        const error = handle(type, updated, update.removed);
        if (error) deps.warn(`${label}: refused an update of ${type}: ${error}`);
        return error;
      },
    },
  });
  client.start();
  return {
    subscribe: (type, names) => client.subscribe(type, names ?? "*"),
    subscribeAlso: (type, names) => client.subscribe(type, "*", names),
    hold: (held) => client.hold(held),
    close: () => client.close(),
  };
}
