import type { MessageSupport } from "./message-support.ts";

/** What this proxy does with load balancing: of `cluster.v3`, of the policies that are extensions, of hash policies. */
export function loadBalancingSupport(): Record<string, MessageSupport> {
  const p = "envoy.config.cluster.v3.Cluster.";
  const x = "envoy.extensions.load_balancing_policies.";
  const common = `${x}common.v3.`;
  const r = "envoy.config.route.v3.RouteAction.HashPolicy";
  const selector = "keys single_host_per_subset fallback_policy fallback_keys_subset";
  const slowStart = "slow_start_window aggression min_weight_percent";
  return {
    [`${p}CommonLbConfig`]: {
      implemented:
        "healthy_panic_threshold zone_aware_lb_config locality_weighted_lb_config consistent_hashing_lb_config ignore_new_hosts_until_first_hc close_connections_on_host_set_change",
      harmless: {
        update_merge_window: "an endpoint update costs little and takes effect at once",
      },
    },
    [`${p}CommonLbConfig.ZoneAwareLbConfig`]: {
      implemented: "routing_enabled min_cluster_size fail_traffic_on_panic",
    },
    [`${p}CommonLbConfig.LocalityWeightedLbConfig`]: { implemented: "" },
    [`${p}CommonLbConfig.ConsistentHashingLbConfig`]: {
      implemented: "use_hostname_for_hashing hash_balance_factor",
    },
    [`${p}SlowStartConfig`]: { implemented: slowStart },
    [`${p}RoundRobinLbConfig`]: { implemented: "slow_start_config" },
    [`${p}LeastRequestLbConfig`]: { implemented: "choice_count active_request_bias slow_start_config" },
    [`${p}RingHashLbConfig`]: { implemented: "minimum_ring_size hash_function maximum_ring_size" },
    [`${p}MaglevLbConfig`]: { implemented: "table_size" },
    [`${p}OriginalDstLbConfig`]: { implemented: "use_http_header http_header_name" },
    "envoy.config.cluster.v3.LoadBalancingPolicy": { implemented: "policies" },
    "envoy.config.cluster.v3.LoadBalancingPolicy.Policy": { implemented: "typed_extension_config" },
    "envoy.config.core.v3.RuntimeDouble": {
      implemented: "default_value",
      harmless: { runtime_key: "runtime values do not change load balancing" },
    },

    [`${common}LocalityLbConfig`]: { implemented: "zone_aware_lb_config locality_weighted_lb_config" },
    [`${common}LocalityLbConfig.ZoneAwareLbConfig`]: {
      implemented: "routing_enabled min_cluster_size fail_traffic_on_panic force_locality_direct_routing",
      neutral: "locality_basis",
    },
    [`${common}LocalityLbConfig.LocalityWeightedLbConfig`]: { implemented: "" },
    [`${common}SlowStartConfig`]: { implemented: slowStart },
    [`${common}ConsistentHashingLbConfig`]: {
      implemented: "use_hostname_for_hashing hash_balance_factor hash_policy",
    },
    [`${x}round_robin.v3.RoundRobin`]: { implemented: "slow_start_config locality_lb_config" },
    [`${x}least_request.v3.LeastRequest`]: {
      implemented: "choice_count active_request_bias slow_start_config locality_lb_config selection_method",
      harmless: {
        enable_full_scan: "deprecated: Envoy does not act on it, `selection_method` took its place",
      },
    },
    [`${x}random.v3.Random`]: { implemented: "locality_lb_config" },
    [`${x}ring_hash.v3.RingHash`]: {
      implemented:
        "hash_function minimum_ring_size maximum_ring_size use_hostname_for_hashing hash_balance_factor consistent_hashing_lb_config locality_weighted_lb_config",
    },
    [`${x}maglev.v3.Maglev`]: {
      implemented: "table_size consistent_hashing_lb_config locality_weighted_lb_config",
    },
    [`${x}wrr_locality.v3.WrrLocality`]: { implemented: "endpoint_picking_policy" },
    [`${x}subset.v3.Subset`]: {
      implemented:
        "fallback_policy default_subset subset_selectors allow_redundant_keys locality_weight_aware scale_locality_weight panic_mode_any list_as_any subset_lb_policy",
      neutral: "metadata_fallback_policy",
    },
    [`${x}subset.v3.Subset.LbSubsetSelector`]: { implemented: selector },
    [`${p}LbSubsetConfig`]: {
      implemented:
        "fallback_policy default_subset subset_selectors locality_weight_aware scale_locality_weight panic_mode_any list_as_any",
      neutral: "metadata_fallback_policy",
    },
    [`${p}LbSubsetConfig.LbSubsetSelector`]: { implemented: selector },
    [`${x}cluster_provided.v3.ClusterProvided`]: { implemented: "" },

    // `filter_state` is refused: no filter here puts anything there that could be hashed.
    [r]: { implemented: "header cookie connection_properties query_parameter terminal" },
    [`${r}.Header`]: { implemented: "header_name regex_rewrite" },
    [`${r}.Cookie`]: { implemented: "name ttl path attributes" },
    [`${r}.CookieAttribute`]: { implemented: "name value" },
    [`${r}.ConnectionProperties`]: { implemented: "source_ip" },
    [`${r}.QueryParameter`]: { implemented: "name" },
    "envoy.type.v3.HashPolicy": { implemented: "source_ip" },
    "envoy.type.v3.HashPolicy.SourceIp": { implemented: "" },
  };
}
