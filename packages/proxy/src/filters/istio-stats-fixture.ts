import { clusterWith, endpoint, locality } from "../cluster/cluster-fixture.ts";
import type { Exchange } from "../layer/exchange.ts";
import { exchange, peerIdentity } from "../telemetry/exchange-fixture.ts";
import type { IstioStatsPlan } from "./istio-stats-plan.ts";

/** Of a workload that is productpage, reviews or the like. */
export const workload = (name: string) => ({
  workload: `${name}-v1`,
  namespace: "default",
  app: name,
  version: "v1",
  canonicalName: name,
  canonicalRevision: "v1",
  cluster: "Kubernetes",
});
export const spiffe = (name: string) => `spiffe://cluster.local/ns/default/sa/${name}`;

/** What a sidecar counts: that of productpage as the source, of reviews as the destination. */
export const plan = (
  reporter: "source" | "destination",
  options: Partial<IstioStatsPlan> = {},
): IstioStatsPlan => ({
  reporter,
  local: workload(reporter === "source" ? "productpage" : "reviews"),
  localService: undefined,
  nodeId: "sidecar~10.0.0.1~x.default~default.svc.cluster.local",
  localPrincipal: () => spiffe("productpage"),
  isHostHeaderFallbackDisabled: false,
  overrides: [],
  dimensions: [],
  tcpReportingMs: 5_000,
  ...options,
});

/** A call from productpage to reviews over mutual TLS, as the caller's sidecar sees it. */
export function outbound(options: Partial<Exchange> = {}) {
  const metadata = { istio: { workload: "reviews-v1;default;reviews;v1;Kubernetes" } };
  const { cluster } = clusterWith([locality([endpoint("10.0.0.2", { metadata })])], {
    name: "outbound|9080|v1|reviews.default.svc.cluster.local",
  });
  return exchange({
    cluster,
    endpoint: [...cluster.endpoints][0],
    upstreamPeer: peerIdentity({ uris: [spiffe("reviews")] }),
    ...options,
  });
}
