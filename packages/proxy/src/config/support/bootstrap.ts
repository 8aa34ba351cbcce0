import type { MessageSupport } from "./message-support.ts";

/** What this proxy does with the messages of `bootstrap.v3`. */
export function bootstrapSupport(): Record<string, MessageSupport> {
  const p = "envoy.config.bootstrap.v3.";
  const metrics = "envoy.config.metrics.v3.";
  return {
    [`${p}Bootstrap`]: {
      implemented:
        "node static_resources dynamic_resources cluster_manager layered_runtime admin overload_manager stats_eviction_interval stats_sinks stats_flush_interval stats_config",
      harmless: {
        stats_flush_on_admin: "statistics are read when asked for; beside sinks it is refused",
      },
    },
    [`${metrics}StatsConfig`]: { implemented: "use_all_default_tags stats_matcher" },
    [`${metrics}StatsMatcher`]: { implemented: "reject_all exclusion_list inclusion_list" },
    [`${metrics}StatsSink`]: { implemented: "name typed_config" },
    [`${metrics}StatsdSink`]: { implemented: "address prefix" },
    [`${metrics}DogStatsdSink`]: { implemented: "address prefix max_bytes_per_datagram" },
    [`${p}Bootstrap.StaticResources`]: { implemented: "listeners clusters secrets" },
    [`${p}Bootstrap.DynamicResources`]: { implemented: "lds_config cds_config ads_config" },
    [`${p}ClusterManager`]: { implemented: "local_cluster_name" },
    [`${p}Admin`]: {
      implemented: "address",
      harmless: {
        access_log: "the admin endpoint keeps no access log",
        access_log_path: "the admin endpoint keeps no access log",
        profile_path: "there is no CPU profiler endpoint",
        ignore_global_conn_limit: "connections to the admin endpoint are in no limit",
      },
    },
    [`${p}LayeredRuntime`]: { implemented: "layers" },
    [`${p}RuntimeLayer`]: {
      implemented: "name static_layer",
      harmless: { admin_layer: "the admin endpoint does not change runtime values" },
    },
  };
}
