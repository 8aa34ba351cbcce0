import { isIPv4, isIPv6 } from "node:net";
import { clientFeature } from "@weft/xds/client-feature";
import { grpcGenerator } from "@weft/xds/proxyless";
import type { Signals } from "../model/signals.ts";

/** What a data plane can do beyond what every one can. */
export interface ClientFeatures {
  /** Takes `istio.stats` as a network filter. Envoy refuses a listener with a network filter it does not know. */
  readonly hasIstioStatsNetwork: boolean;
  /** Takes no `istio.stats` at all: what Istio's metrics need goes to its agent as access logs. */
  readonly hasAccessLogMetrics: boolean;
  /** Takes clusters that leave HTTP/1.1 or HTTP/2 to each endpoint, with TLS and without. */
  readonly negotiatesHttp: boolean;
  /** A gRPC application that is its own data plane: API listeners, and only what gRPC takes. */
  readonly isProxyless: boolean;
  /** Can bind `::`, so that captured IPv6 traffic finds a listener. */
  readonly hasIpv6: boolean;
  /** The families of its own addresses: where it can call what DNS says the addresses of. */
  readonly families: IpFamilies;
  /** Asks for clusters when it first needs them, and is to be given no others. */
  readonly learnsScope: boolean;
  /** Asks for virtual hosts too, where it learns what it uses. */
  readonly asksForHosts: boolean;
  /** Can say what decided about answers that it makes itself. */
  readonly explainsReplies: boolean;
}

export type IpFamilies = "IPv4" | "IPv6" | "both";

/** A data plane, and what it is to tell of calls; undefined: what the mesh says. */
export interface ReportingFeatures extends ClientFeatures {
  readonly signals?: Signals | undefined;
}

/** What a client that declares nothing is taken to be able to do. */
export const noFeatures: ClientFeatures = {
  hasIstioStatsNetwork: false,
  hasAccessLogMetrics: false,
  negotiatesHttp: false,
  isProxyless: false,
  hasIpv6: false,
  families: "IPv4",
  learnsScope: false,
  asksForHosts: false,
  explainsReplies: false,
};

/** What Weft's own sidecar can do on most machines. */
export const sidecarFeatures: ClientFeatures = {
  ...noFeatures,
  hasIstioStatsNetwork: true,
  negotiatesHttp: true,
  hasIpv6: true,
  explainsReplies: true,
};

/** The same, where nothing else is asked for. */
export const learningSidecarFeatures: ClientFeatures = {
  ...sidecarFeatures,
  learnsScope: true,
  asksForHosts: true,
};

/** Reads a node's `client_features`, and what its metadata says it takes; names that change nothing here are passed over. */
export function parseClientFeatures(
  names: readonly string[],
  metadata: Readonly<Record<string, unknown>> = {},
): ClientFeatures {
  return {
    isProxyless: metadata.GENERATOR === grpcGenerator,
    hasIstioStatsNetwork: names.includes(clientFeature.istioStatsNetwork),
    hasAccessLogMetrics: names.includes(clientFeature.accessLogMetrics),
    negotiatesHttp: names.includes(clientFeature.negotiatedHttp),
    hasIpv6: names.includes(clientFeature.ipv6),
    families: familiesOf(metadata.INSTANCE_IPS),
    learnsScope: names.includes(clientFeature.onDemandClusters) && metadata.SCOPE !== "all",
    asksForHosts: names.includes(clientFeature.onDemandHosts),
    explainsReplies: names.includes(clientFeature.explainsReplies),
  };
}

function familiesOf(instanceIps: unknown): IpFamilies {
  const addresses = typeof instanceIps === "string" ? instanceIps.split(",") : [];
  const hasIpv6 = addresses.some(isIPv6);
  return hasIpv6 && addresses.some(isIPv4) ? "both" : hasIpv6 ? "IPv6" : "IPv4";
}

const keys = new WeakMap<ClientFeatures, string>();

/** Equal for data planes that get equal resources. */
export function featuresKey(features: ReportingFeatures): string {
  let key = keys.get(features);
  if (key === undefined) {
    key = features.signals ? `${makeKey(features)} ${features.signals.key}` : makeKey(features);
    keys.set(features, key);
  }
  return key;
}

function makeKey(features: ClientFeatures): string {
  const {
    hasIstioStatsNetwork,
    hasAccessLogMetrics,
    negotiatesHttp,
    isProxyless,
    hasIpv6,
    families,
    learnsScope,
    asksForHosts,
    explainsReplies,
  } = features;
  if (isProxyless) return "grpc";
  const marks = [
    hasIstioStatsNetwork && "stats",
    hasAccessLogMetrics && "als",
    negotiatesHttp && "negotiated",
    hasIpv6 && "ipv6",
    families !== "IPv4" && families,
    learnsScope && "learns",
    learnsScope && asksForHosts && "hosts",
    explainsReplies && "explains",
  ];
  return marks.filter(Boolean).join(" ");
}
