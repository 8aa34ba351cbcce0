/** Type URLs of the resources Weft serves and consumes. */
export const typeUrl = {
  listener: "type.googleapis.com/envoy.config.listener.v3.Listener",
  route: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
  cluster: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
  endpoint: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
  secret: "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
  nameTable: "type.googleapis.com/istio.networking.nds.v1.NameTable",
  health: "type.googleapis.com/istio.v1.HealthInformation",
} as const;
