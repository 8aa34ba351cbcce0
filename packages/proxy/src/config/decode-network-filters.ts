import type { JsonObject, Message } from "@bufbuild/protobuf";
import type { Filter } from "@weft/xds/gen/envoy/config/listener/v3/listener_components_pb";
import type { ConnectionLimit } from "@weft/xds/gen/envoy/extensions/filters/network/connection_limit/v3/connection_limit_pb";
import type { Config as DirectResponse } from "@weft/xds/gen/envoy/extensions/filters/network/direct_response/v3/config_pb";
import type { ExtAuthz } from "@weft/xds/gen/envoy/extensions/filters/network/ext_authz/v3/ext_authz_pb";
import type { HttpConnectionManager } from "@weft/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import type { LocalRateLimit } from "@weft/xds/gen/envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit_pb";
import type { RBAC } from "@weft/xds/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb";
import type { TcpProxy } from "@weft/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb";
import { createConnectionLimitFilter } from "../filters/connection-limit.ts";
import { createConnectionRateLimitFilter } from "../filters/connection-rate-limit.ts";
import { createSniClusterFilter } from "../filters/sni-cluster.ts";
import type { NetworkFilter } from "../layer/network-filter.ts";
import type { AnswerPlan, HttpConnectionPlan, TcpProxyPlan } from "../listener/listener-plan.ts";
import { decodeConnectionManager } from "./decode-connection-manager.ts";
import type { DecodeContext, Direction } from "./decode-context.ts";
import { decodeIstioStats } from "./decode-istio-stats.ts";
import { decodeNetworkExtAuthz } from "./decode-network-ext-authz.ts";
import { decodeNetworkRbac } from "./decode-rbac.ts";
import { decodeTcpProxy } from "./decode-tcp-proxy.ts";
import { durationMs, readDataSource } from "./decode-values.ts";
import { unpackAny } from "./extension-registry.ts";
import { istioStatsType } from "./http-filters/istio-stats.ts";
import { at } from "./issues.ts";

/** A filter of a chain: one that decides on connections, or one that serves them and ends the chain. */
export function decodeNetworkFilter(
  filter: Filter,
  direction: Direction,
  path: string,
  context: DecodeContext,
): NetworkFilter | HttpConnectionPlan | TcpProxyPlan | AnswerPlan | undefined {
  const { issues, factories } = context;
  if (filter.configType.case !== "typedConfig") {
    issues.add(path, "needs `typed_config`", "name the filter's type with @type");
    return undefined;
  }
  const place = at(path, "typed_config");
  const message = unpackAny(filter.configType.value);
  switch (message?.$typeName) {
    case undefined:
      return undefined;
    case "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager":
      return decodeConnectionManager(message as HttpConnectionManager, direction, place, context);
    case "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy":
      return decodeTcpProxy(message as TcpProxy, place, context);
    case "envoy.extensions.filters.network.echo.v3.Echo":
      return { kind: "echo" };
    case "envoy.extensions.filters.network.direct_response.v3.Config": {
      const { response } = message as DirectResponse;
      const body = response && readDataSource(response, at(place, "response"), issues);
      return { kind: "direct-response", body: body ?? Buffer.alloc(0) };
    }
    case "envoy.extensions.filters.network.sni_cluster.v3.SniCluster":
      return createSniClusterFilter(filter.name);
    case "envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit":
      return decodeConnectionLimit(message as ConnectionLimit, filter.name, place, context);
    case "envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit":
      return decodeLocalRateLimit(message as LocalRateLimit, filter.name, place, context);
    case "envoy.extensions.filters.network.rbac.v3.RBAC": {
      const rbac = message as RBAC;
      requireStatPrefix(rbac.statPrefix, place, context);
      return factories.networkRbac(decodeNetworkRbac(rbac, place, issues), filter.name, rbac.statPrefix);
    }
    case "envoy.extensions.filters.network.ext_authz.v3.ExtAuthz": {
      const authz = message as ExtAuthz;
      requireStatPrefix(authz.statPrefix, place, context);
      return decodeNetworkExtAuthz(authz, filter.name, place, context);
    }
    case "xds.type.v3.TypedStruct":
    case "udpa.type.v1.TypedStruct": {
      const { typeUrl, value } = message as Message & {
        readonly typeUrl: string;
        readonly value?: JsonObject;
      };
      if (typeUrl === istioStatsType) {
        const settings = decodeIstioStats(value ?? {}, at(place, "value"), context);
        return factories.istioTcpStats(settings, filter.name, direction);
      }
      issues.add(
        at(place, "type_url"),
        `${typeUrl} is not implemented by this proxy`,
        `only ${istioStatsType} is`,
      );
      return undefined;
    }
    default:
      issues.add(place, `${message?.$typeName} is not a network filter`);
      return undefined;
  }
}

function requireStatPrefix(statPrefix: string, path: string, { issues }: DecodeContext): void {
  if (statPrefix === "") issues.add(at(path, "stat_prefix"), "is empty", "name the filter's statistics");
}

function decodeConnectionLimit(
  limit: ConnectionLimit,
  name: string,
  path: string,
  context: DecodeContext,
): NetworkFilter {
  requireStatPrefix(limit.statPrefix, path, context);
  const max = limit.maxConnections;
  if (max === undefined || max < 1n) context.issues.add(at(path, "max_connections"), "is at least 1");
  const plan = {
    name,
    maxConnections: Number(max ?? 1n),
    delayMs: durationMs(limit.delay, 0),
    isEnabled: isEnabled(limit.runtimeEnabled, context),
  };
  return createConnectionLimitFilter(plan, limit.statPrefix, context.services.stats);
}

function decodeLocalRateLimit(
  limit: LocalRateLimit,
  name: string,
  path: string,
  context: DecodeContext,
): NetworkFilter {
  const { issues, services } = context;
  requireStatPrefix(limit.statPrefix, path, context);
  const bucket = limit.tokenBucket;
  const place = at(path, "token_bucket");
  const fillIntervalMs = durationMs(bucket?.fillInterval, 0);
  const maxTokens = bucket?.maxTokens ?? 0;
  if (!bucket) issues.add(place, "is missing", "say how many connections are accepted in which time");
  else {
    if (maxTokens < 1) issues.add(at(place, "max_tokens"), "is at least 1");
    // Envoy's own bound on how often a local bucket is filled.
    if (fillIntervalMs < 50) issues.add(at(place, "fill_interval"), "is at least 50 ms");
    if (bucket.tokensPerFill === 0) issues.add(at(place, "tokens_per_fill"), "is at least 1");
  }
  const plan = {
    name,
    maxTokens,
    tokensPerFill: bucket?.tokensPerFill ?? 1,
    fillIntervalMs,
    isEnabled: isEnabled(limit.runtimeEnabled, context),
  };
  return createConnectionRateLimitFilter(plan, limit.statPrefix, services.clock, services.stats);
}

/** A static runtime value replaces the default, which is on. */
function isEnabled(
  flag: { readonly defaultValue?: boolean | undefined; readonly runtimeKey: string } | undefined,
  { runtime }: DecodeContext,
): boolean {
  const override = flag && runtime.get(flag.runtimeKey);
  return typeof override === "boolean" ? override : (flag?.defaultValue ?? true);
}
