import type { PeerMetadata } from "../layer/downstream-connection.ts";
import type { Exchange } from "../layer/exchange.ts";

/** A service, as Istio's `destination_service*` labels name it. */
export interface ServiceName {
  /** `reviews.default.svc.cluster.local` */
  readonly host: string;
  readonly name: string;
  readonly namespace: string;
}

/**
 * Istio's standard metrics for one listener. Settings follow `stats.PluginConfig`
 * (the TypedStruct of `istio.stats`); what this proxy is comes from its node.
 */
export interface IstioStatsPlan {
  /** From the traffic direction: outbound reports as the source, inbound as the destination. */
  readonly reporter: "source" | "destination";
  readonly local: PeerMetadata;
  /** The service this workload belongs to: the destination of inbound calls whose cluster names none. */
  readonly localService: ServiceName | undefined;
  /** Node id, for `x-envoy-peer-metadata-id`. */
  readonly nodeId: string;
  /** The principal of our own certificate where a connection cannot tell it. */
  readonly localPrincipal: (() => string) | undefined;
  readonly isHostHeaderFallbackDisabled: boolean;
  /** What the labels of overrides come from; each is evaluated once for a call, "unknown" where it has no value. */
  readonly dimensions: readonly ((exchange: Exchange) => string)[];
  /** More series of a metric are not told apart. */
  readonly maxSeries?: number | undefined;
  /** How often the bytes of open connections are counted. */
  readonly tcpReportingMs: number;
  /** `dimensions` and `tags_to_remove` per metric; `metrics[].name` without `istio_`, "" for all. */
  readonly overrides: readonly IstioMetricOverride[];
}

export interface IstioMetricOverride {
  readonly metric: string;
  readonly isDropped: boolean;
  readonly tagsToRemove: readonly string[];
  /** Labels that are replaced or added, each by its place among the plan's `dimensions`. */
  readonly tags: readonly { readonly name: string; readonly dimension: number }[];
}

/** What a configuration may say of Istio's metrics; the rest is this proxy's own identity. */
export type IstioStatsSettings = Pick<
  IstioStatsPlan,
  "isHostHeaderFallbackDisabled" | "overrides" | "dimensions" | "tcpReportingMs"
>;
