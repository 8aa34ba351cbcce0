import type { MessageSupport } from "./message-support.ts";

const oneSocket = "workers share one listening socket, and whoever is idle takes a connection";

/** What this proxy does with the messages of `listener.v3` and listener filters. */
export function listenerSupport(): Record<string, MessageSupport> {
  const p = "envoy.config.listener.v3.";
  const proxy = "envoy.extensions.filters.listener.proxy_protocol.v3.";
  return {
    [`${p}Listener`]: {
      implemented:
        "name address additional_addresses filter_chains filter_chain_matcher use_original_dst default_filter_chain per_connection_buffer_limit_bytes metadata listener_filters listener_filters_timeout continue_on_listener_filters_timeout traffic_direction bind_to_port ignore_global_conn_limit drain_type bypass_overload_manager",
      harmless: {
        stat_prefix: "listener statistics are named by address",
        enable_reuse_port: oneSocket,
        reuse_port: oneSocket,
        connection_balance_config: oneSocket,
        tcp_backlog_size: "the system's largest backlog is always asked for",
        max_connections_to_accept_per_socket_event: "connections are accepted one at a time",
      },
      neutral: "transparent freebind tcp_fast_open_queue_length enable_mptcp",
    },
    [`${p}AdditionalAddress`]: { implemented: "address" },
    [`${p}ListenerFilter`]: { implemented: "name typed_config" },
    [`${p}FilterChain`]: {
      implemented:
        "filter_chain_match filters transport_socket transport_socket_connect_timeout name use_proxy_proto",
      harmless: { metadata: "no filter reads a chain's metadata" },
    },
    [`${p}FilterChainMatch`]: {
      implemented:
        "destination_port prefix_ranges direct_source_prefix_ranges source_type source_prefix_ranges source_ports server_names transport_protocol application_protocols",
    },
    [`${p}Filter`]: { implemented: "name typed_config" },
    "envoy.extensions.filters.listener.original_dst.v3.OriginalDst": { implemented: "" },
    "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector": {
      implemented: "",
      harmless: {
        initial_read_buffer_size: "the buffer grows with the ClientHello up to its limit",
      },
      neutral: "enable_ja3_fingerprinting enable_ja4_fingerprinting",
    },
    [`${proxy}ProxyProtocol`]: {
      implemented:
        "rules allow_requests_without_proxy_protocol pass_through_tlvs disallowed_versions stat_prefix",
      neutral: "tlv_location",
    },
    [`${proxy}ProxyProtocol.Rule`]: { implemented: "tlv_type on_tlv_present" },
    [`${proxy}ProxyProtocol.KeyValuePair`]: { implemented: "metadata_namespace key" },
    "envoy.config.core.v3.ProxyProtocolPassThroughTLVs": { implemented: "match_type tlv_type" },
    "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector": { implemented: "" },
  };
}
