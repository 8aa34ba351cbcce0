/** Type URLs of the resources Weft serves and consumes. */
export const typeUrl = {
  listener: "type.googleapis.com/envoy.config.listener.v3.Listener",
  route: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
  virtualHost: "type.googleapis.com/envoy.config.route.v3.VirtualHost",
  cluster: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
  endpoint: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
  secret: "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
  nameTable: "type.googleapis.com/istio.networking.nds.v1.NameTable",
  workloadTemplate: "type.googleapis.com/weft.workload.v1.WorkloadTemplate",
  health: "type.googleapis.com/istio.v1.HealthInformation",
  /** A message of an agent: the trust bundle and the root that its data plane uses. */
  trustReport: "type.googleapis.com/weft.v1.TrustReport",
} as const;

const namedOnly: ReadonlySet<string> = new Set([
  typeUrl.route,
  typeUrl.virtualHost,
  typeUrl.endpoint,
  typeUrl.secret,
]);
const whole: ReadonlySet<string> = new Set([typeUrl.listener, typeUrl.cluster]);

/** Whether a first request without names means "everything", as it does for listeners and clusters. */
export function isWildcardByDefault(type: string): boolean {
  return !namedOnly.has(type);
}

/** Whether a state-of-the-world response of this type is the whole truth: what it lacks is gone. */
export function isWholeInSotw(type: string): boolean {
  return whole.has(type);
}
