import { bodyFiltersSupport } from "./filters/body-filters.ts";
import { extAuthzSupport } from "./filters/ext-authz.ts";
import { headerFiltersSupport } from "./filters/header-filters.ts";
import { jwtAuthnSupport } from "./filters/jwt-authn.ts";
import { rateLimitsSupport } from "./filters/rate-limits.ts";
import { matchingSupport } from "./matching.ts";
import type { MessageSupport } from "./message-support.ts";

/** What this proxy does with the messages of HTTP and network filters. */
export function filtersSupport(): Record<string, MessageSupport> {
  const rbac = "envoy.config.rbac.v3.";
  const fault = "envoy.extensions.filters.common.fault.v3.";
  return {
    ...headerFiltersSupport(),
    ...bodyFiltersSupport(),
    ...jwtAuthnSupport(),
    ...extAuthzSupport(),
    ...rateLimitsSupport(),
    ...matchingSupport(),
    "envoy.extensions.filters.http.router.v3.Router": {
      implemented: "suppress_envoy_headers respect_expected_rq_timeout start_child_span",
      harmless: {
        dynamic_stats: "statistics of a cluster cost one addition each and are always kept",
      },
      neutral: "suppress_grpc_request_failure_code_stats",
    },
    "envoy.extensions.filters.http.on_demand.v3.OnDemand": { implemented: "odcds" },
    "envoy.extensions.filters.http.on_demand.v3.OnDemandCds": { implemented: "source timeout" },
    "envoy.extensions.filters.http.on_demand.v3.PerRouteConfig": { implemented: "odcds" },
    "envoy.extensions.filters.http.rbac.v3.RBAC": {
      implemented:
        "rules rules_stat_prefix shadow_rules shadow_rules_stat_prefix matcher shadow_matcher track_per_rule_stats",
    },
    "envoy.extensions.filters.http.rbac.v3.RBACPerRoute": { implemented: "rbac" },
    "envoy.extensions.filters.network.sni_cluster.v3.SniCluster": { implemented: "" },
    "envoy.extensions.filters.network.echo.v3.Echo": { implemented: "" },
    "envoy.extensions.filters.network.direct_response.v3.Config": { implemented: "response" },
    "envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit": {
      implemented: "stat_prefix max_connections delay runtime_enabled",
    },
    "envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit": {
      implemented: "stat_prefix token_bucket runtime_enabled",
    },
    "envoy.extensions.filters.network.rbac.v3.RBAC": {
      implemented: "rules shadow_rules shadow_rules_stat_prefix matcher shadow_matcher stat_prefix",
      harmless: {
        enforcement_type: "what is known of a connection does not change between its first byte and its last",
      },
    },
    [`${rbac}Action`]: { implemented: "name action" },
    [`${rbac}RBAC`]: { implemented: "action policies" },
    [`${rbac}Policy`]: { implemented: "permissions principals" },
    [`${rbac}Permission`]: {
      implemented:
        "and_rules or_rules any header url_path destination_ip destination_port destination_port_range metadata not_rule requested_server_name uri_template sourced_metadata",
    },
    [`${rbac}SourcedMetadata`]: { implemented: "metadata_matcher metadata_source" },
    [`${rbac}Permission.Set`]: { implemented: "rules" },
    [`${rbac}Principal`]: {
      implemented:
        "and_ids or_ids any authenticated source_ip direct_remote_ip remote_ip header url_path metadata not_id sourced_metadata",
    },
    [`${rbac}Principal.Set`]: { implemented: "ids" },
    [`${rbac}Principal.Authenticated`]: { implemented: "principal_name" },
    "envoy.extensions.filters.http.fault.v3.HTTPFault": {
      implemented: "delay abort headers downstream_nodes max_active_faults",
      harmless: {
        disable_downstream_cluster_stats: "faults are not counted per downstream cluster",
        delay_percent_runtime: "runtime values do not change faults",
        abort_percent_runtime: "runtime values do not change faults",
        delay_duration_runtime: "runtime values do not change faults",
        abort_http_status_runtime: "runtime values do not change faults",
        max_active_faults_runtime: "runtime values do not change faults",
        abort_grpc_status_runtime: "runtime values do not change faults",
      },
    },
    "envoy.extensions.filters.http.fault.v3.FaultAbort": {
      implemented: "http_status grpc_status header_abort percentage",
    },
    "envoy.extensions.filters.http.fault.v3.FaultAbort.HeaderAbort": { implemented: "" },
    [`${fault}FaultDelay`]: { implemented: "fixed_delay header_delay percentage" },
    [`${fault}FaultDelay.HeaderDelay`]: { implemented: "" },
    "weft.filters.http.module.v1.ModuleFilter": {
      implemented:
        "module config phases timeout memory_limit_mb max_pending_calls max_request_bytes failure_mode_allow clear_route_cache",
    },
    "xds.type.v3.TypedStruct": { implemented: "type_url value" },
    "udpa.type.v1.TypedStruct": { implemented: "type_url value" },
  };
}
