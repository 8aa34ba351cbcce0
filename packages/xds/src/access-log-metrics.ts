/**
 * What a control plane and an agent agree upon so that the agent can count
 * Istio's metrics for a data plane that cannot: the control plane configures the
 * access logs, the agent reads them.
 */
export const accessLogMetrics = {
  /** The bootstrap's name for the agent's socket, which is that of its secrets. */
  cluster: "sds-grpc",
  /** In the data plane's environment: `x-envoy-peer-metadata` of its workload. */
  peerMetadataVariable: "WEFT_PEER_METADATA",
  /** Names of logs: the side of the call that was seen. */
  logNames: { outbound: "outbound", inbound: "inbound" },
  /** The filter, and its filter state: how many messages a gRPC call had. */
  grpcStats: "envoy.filters.http.grpc_stats",
  /** Custom tags of an entry; one without a value is absent, empty or `-`. */
  tags: {
    /** Names the downstream connection within the data plane. */
    connection: "connection",
    /** Outbound: `istio.workload` of the endpoint. */
    workload: "workload",
    /** Outbound: what the endpoint's certificate proves. */
    principal: "principal",
    /** Outbound: the cluster of a connection, which Envoy does not name where it has no endpoint. */
    cluster: "cluster",
    /** Inbound: `x-envoy-peer-metadata` as it came. */
    peer: "peer",
    /** Inbound: `<host>;<name>;<namespace>` of the service. */
    service: "service",
    /** Followed by its place: the value of a label of the configuration's own. */
    dimension: "dimension.",
  },
} as const;
