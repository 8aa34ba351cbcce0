import { clientFeature } from "@weft/xds/client-feature";

/** What a data plane can do beyond what every one can. */
export interface ClientFeatures {
  /** Takes `istio.stats` as a network filter. Envoy refuses a listener with a network filter it does not know. */
  readonly hasIstioStatsNetwork: boolean;
}

/** What Envoy is taken to be able to do. */
export const noFeatures: ClientFeatures = { hasIstioStatsNetwork: false };

/** What Weft's own sidecar can do. */
export const sidecarFeatures: ClientFeatures = { hasIstioStatsNetwork: true };

/** Reads a node's `client_features`; names that change nothing here are passed over. */
export function parseClientFeatures(names: readonly string[]): ClientFeatures {
  return { hasIstioStatsNetwork: names.includes(clientFeature.istioStatsNetwork) };
}

/** Equal for data planes that get equal listeners. */
export function featuresKey({ hasIstioStatsNetwork }: ClientFeatures): string {
  return hasIstioStatsNetwork ? clientFeature.istioStatsNetwork : "";
}
