import type { MeshKind } from "./kinds.ts";

/** What gRPC as its own data plane does not do of what sidecars do. A row covers its path and everything below. */
export interface GrpcSupport {
  readonly kind: MeshKind;
  readonly path: string;
  readonly support: "partly" | "no";
  /** What happens instead. */
  readonly note: string;
}

const left = "left out";
const noBytes = "only calls are routed";
const list = (kind: MeshKind, support: GrpcSupport["support"], rows: Readonly<Record<string, string>>) =>
  Object.entries(rows).map(([path, note]): GrpcSupport => ({ kind, path, support, note }));

const routeFilters = (kind: MeshKind) =>
  list(kind, "no", {
    "spec.rules[].filters[].requestHeaderModifier": left,
    "spec.rules[].filters[].responseHeaderModifier": left,
    "spec.rules[].filters[].requestMirror": left,
    "spec.rules[].sessionPersistence": left,
    "spec.rules[].backendRefs[].filters[].requestHeaderModifier": left,
    "spec.rules[].backendRefs[].filters[].responseHeaderModifier": left,
    "spec.rules[].backendRefs[].filters[].requestMirror": left,
  });

/** Said per field in docs/support.md, and where it is used while there are such clients (W2201, W2202). */
export const grpcSupport: readonly GrpcSupport[] = [
  ...list("VirtualService", "partly", {
    "spec.http[].retries": "on the statuses that gRPC has",
    "spec.http[].route[]": "without its headers",
  }),
  ...list("VirtualService", "no", {
    "spec.http[].match[].queryParams": "a call has no query: such a route is none",
    "spec.http[].redirect": "its calls fail",
    "spec.http[].directResponse": "its calls fail",
    "spec.http[].rewrite": left,
    "spec.http[].headers": left,
    "spec.http[].mirror": left,
    "spec.http[].mirrors": left,
    "spec.http[].mirrorPercentage": left,
    "spec.http[].mirrorPercent": left,
    "spec.http[].mirror_percent": left,
    "spec.http[].corsPolicy": left,
    "spec.tcp[]": noBytes,
    "spec.tls[]": noBytes,
  }),
  ...["spec.trafficPolicy", "spec.subsets[].trafficPolicy"].flatMap((set) =>
    [set, `${set}.portLevelSettings[]`].flatMap((base) => [
      ...list("DestinationRule", "partly", {
        [`${base}.connectionPool.http.http2MaxRequests`]: "each client for itself",
        [`${base}.loadBalancer.simple`]: "ROUND_ROBIN; others are taken for it",
        [`${base}.loadBalancer.consistentHash`]: "by header, on a ring; others are taken for ROUND_ROBIN",
        [`${base}.tls`]: "ISTIO_MUTUAL and DISABLE; calls by other modes fail",
      }),
      ...list("DestinationRule", "no", {
        [`${base}.connectionPool.tcp`]: left,
        [`${base}.connectionPool.http`]: left,
        [`${base}.outlierDetection.outlierDetectionHttpErrorCodes`]: left,
        [`${base}.loadBalancer.warmup`]: left,
        [`${base}.loadBalancer.warmupDurationSecs`]: left,
        ...(base === set && {
          [`${base}.retryBudget`]: left,
          [`${base}.proxyProtocol`]: left,
          [`${base}.tunnel`]: left,
        }),
      }),
    ]),
  ),
  ...list("BackendTLSPolicy", "no", { "spec.targetRefs": "calls to its targets fail" }),
  ...list("ServiceEntry", "partly", { "spec.resolution": "calls to NONE fail" }),
  ...list("Sidecar", "no", {
    "spec.ingress[]": "a server says itself where it listens",
    "spec.inboundConnectionPool": left,
  }),
  ...list("ProxyConfig", "no", {
    "spec.concurrency": "there is no proxy",
    "spec.environmentVariables": "there is no proxy",
  }),
  ...list("PeerAuthentication", "partly", {
    "spec.mtls": "PERMISSIVE takes mutual TLS only",
    "spec.portLevelMtls": "PERMISSIVE takes mutual TLS only",
  }),
  ...list("RequestAuthentication", "no", {
    "spec.selector": "tokens are not verified: every claim is absent to policies",
    "spec.targetRef": "tokens are not verified",
    "spec.targetRefs": "tokens are not verified",
    "spec.jwtRules": "tokens are not verified",
  }),
  ...routeFilters("HTTPRoute"),
  ...routeFilters("GRPCRoute"),
  ...list("HTTPRoute", "no", {
    "spec.rules[].filters[].requestRedirect": "its calls fail",
    "spec.rules[].filters[].urlRewrite": left,
    "spec.rules[].filters[].cors": left,
    "spec.rules[].filters[].externalAuth": "its calls fail",
    "spec.rules[].backendRefs[].filters[].externalAuth": "its calls fail",
    "spec.rules[].backendRefs[].filters[].requestRedirect": "its calls fail",
    "spec.rules[].backendRefs[].filters[].urlRewrite": left,
    "spec.rules[].backendRefs[].filters[].cors": left,
  }),
  ...list("TLSRoute", "no", { "spec.rules[]": noBytes }),
  ...list("TCPRoute", "no", { "spec.rules[]": noBytes }),
  ...list("Gateway", "no", {
    "spec.servers[]": "gateways are sidecars",
    "spec.selector": "gateways are sidecars",
  }),
];
