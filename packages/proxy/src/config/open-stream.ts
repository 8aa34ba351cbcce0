import { clone, create } from "@bufbuild/protobuf";
import type { Clock } from "@weft/base/clock";
import { AdsClient, type AdsState } from "@weft/xds/ads-client";
import { clientFeature } from "@weft/xds/client-feature";
import { NodeSchema } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import type { GrpcTarget as DialTarget } from "@weft/xds/grpc/dial";
import { isRefusal } from "@weft/xds/grpc/grpc-status";
import type { ClusterPlan } from "../cluster/cluster-plan.ts";
import type { BootstrapPlan } from "./bootstrap.ts";
import { openFileSecrets } from "./file-secrets.ts";
import { grpcTarget } from "./grpc-target.ts";
import type { ResourceHandler, ResourceStream } from "./xds-session.ts";

export interface StreamDependencies {
  readonly clock: Clock;
  readonly bootstrap: BootstrapPlan;
  cluster(name: string): ClusterPlan | undefined;
  /** Something an operator should know of: a lost connection, a refused update. */
  warn(message: string): void;
  inform(message: string): void;
  /** What only somebody who looks for a fault wants to read. */
  debug(message: string): void;
}

/** Opens the stream behind a source of configuration: `ads`, `grpc:<cluster>` (SDS) or `path:<file>`. */
export function openStream(
  source: string,
  handle: ResourceHandler,
  deps: StreamDependencies,
): ResourceStream {
  const colon = source.indexOf(":");
  const kind = colon < 0 ? source : source.slice(0, colon);
  const rest = source.slice(colon + 1);
  if (kind === "path") return openFileSecrets(rest, handle, deps.warn);
  const { ads } = deps.bootstrap;
  const clusterName = kind === "ads" ? (ads?.cluster ?? "") : rest;
  const plan = deps.cluster(clusterName);
  const target = plan && grpcTarget(plan, kind === "ads" ? ads?.authority : undefined);
  if (!target) {
    deps.warn(`cluster '${clusterName}' has no endpoint to ask: nothing comes from ${source}`);
    return { subscribe() {}, hold() {}, close() {} };
  }
  return kind === "ads"
    ? openClient("ADS", target, handle, deps, {
        isDelta: ads?.isDelta ?? false,
        metadata: ads?.metadata ?? [],
      })
    : openClient(`SDS (${clusterName})`, target, handle, deps, { isDelta: false, metadata: [] });
}

function openClient(
  label: string,
  target: DialTarget,
  handle: ResourceHandler,
  deps: StreamDependencies,
  options: { readonly isDelta: boolean; readonly metadata: readonly (readonly [string, string])[] },
): ResourceStream {
  const { node } = deps.bootstrap.message;
  const self = node ? clone(NodeSchema, node) : create(NodeSchema);
  self.userAgentName ||= "weft";
  self.clientFeatures = [...new Set([...self.clientFeatures, clientFeature.istioStatsNetwork])];
  const client = new AdsClient({
    clock: deps.clock,
    target,
    node: () => self,
    mode: options.isDelta ? "delta" : "sotw",
    service: label === "ADS" ? "aggregated" : "secret",
    metadata: () => options.metadata,
    onState: connectionReport(label, deps),
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
    hold: (held) => client.hold(held),
    close: () => client.close(),
  };
}

/** Says once that a connection is lost, or refused, and once that it is back; the attempts between are for debugging. */
function connectionReport(label: string, deps: StreamDependencies): (state: AdsState) => void {
  let told: "nothing" | "lost" | "refused" = "nothing";
  return (state) => {
    if (state.t === "connected" && state.isAnswered) {
      if (told === "nothing") deps.inform(`${label}: connected`);
      // At the level at which the loss was told.
      else deps.warn(`${label}: connected again`);
      told = "nothing";
    } else if (state.t === "waiting") {
      const { code, message } = state.error;
      const what = isRefusal(code) ? "refused" : "lost";
      if (what === told) {
        deps.debug(`${label}: ${message}; trying again in ${Math.round(state.retryMs)} ms`);
      } else {
        deps.warn(`${label}: not connected: ${message}; trying on, what was received stays in force`);
      }
      told = what;
    }
  };
}
