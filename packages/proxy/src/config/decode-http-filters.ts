import type { JsonObject, Message } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import type { HTTPFault } from "@weft/xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb";
import type { RBAC, RBACPerRoute } from "@weft/xds/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb";
import type { Router } from "@weft/xds/gen/envoy/extensions/filters/http/router/v3/router_pb";
import type { HttpFilter as HttpFilterMessage } from "@weft/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import { isRouterFilter, routerFilter } from "../filters/router-plan.ts";
import type { HttpFilter } from "../layer/http-filter.ts";
import type { DecodeContext, Direction } from "./decode-context.ts";
import { decodeFault } from "./decode-fault.ts";
import { decodeIstioStats } from "./decode-istio-stats.ts";
import { decodeHttpRbac } from "./decode-rbac.ts";
import { unpackAny } from "./extension-registry.ts";
import { at } from "./issues.ts";

/** Istio's own filter configuration travels as a TypedStruct that names its type. */
export const istioStatsType = "type.googleapis.com/stats.PluginConfig";

interface Place {
  readonly statPrefix: string;
  readonly direction: Direction;
}

/** Decodes the filters of a connection manager, in order; the last must be the router. */
export function decodeHttpFilters(
  filters: readonly HttpFilterMessage[],
  place: Place,
  path: string,
  context: DecodeContext,
): readonly HttpFilter[] {
  const { issues } = context;
  const decoded: HttpFilter[] = [];
  const names = new Set<string>();
  filters.forEach((filter, i) => {
    const filterPath = `${path}[${i}]`;
    if (filter.name === "") issues.add(at(filterPath, "name"), "is empty", "name the filter");
    if (names.has(filter.name))
      issues.add(at(filterPath, "name"), `'${filter.name}' stands twice in this chain`);
    names.add(filter.name);
    if (filter.configType.case !== "typedConfig") {
      issues.add(filterPath, "needs `typed_config`", "name the filter's type with @type");
      return;
    }
    const made = decodeFilter(
      filter.name,
      filter.configType.value,
      place,
      at(filterPath, "typed_config"),
      context,
    );
    if (!made) return;
    if (isRouterFilter(made) && i !== filters.length - 1) {
      issues.add(filterPath, "the router ends a chain", "put it last");
    }
    decoded.push(made);
  });
  const last = decoded.at(-1);
  if (!last || !isRouterFilter(last))
    issues.add(path, "does not end with envoy.filters.http.router", "add the router");
  return decoded;
}

function decodeFilter(
  name: string,
  config: Any,
  place: Place,
  path: string,
  context: DecodeContext,
): HttpFilter | undefined {
  const message = unpackAny(config);
  const { factories, issues } = context;
  switch (message?.$typeName) {
    case undefined:
      return undefined;
    case "envoy.extensions.filters.http.router.v3.Router":
      return routerFilter({ suppressEnvoyHeaders: (message as Router).suppressEnvoyHeaders });
    case "envoy.extensions.filters.http.rbac.v3.RBAC":
      return factories.rbac(decodeHttpRbac(message as RBAC, path, issues), name, place.statPrefix);
    case "envoy.extensions.filters.http.fault.v3.HTTPFault":
      return factories.fault(decodeFault(message as HTTPFault, path, issues), name, place.statPrefix);
    case "xds.type.v3.TypedStruct":
    case "udpa.type.v1.TypedStruct": {
      const { typeUrl, value } = message as Message & {
        readonly typeUrl: string;
        readonly value?: JsonObject;
      };
      if (typeUrl === istioStatsType) {
        const settings = decodeIstioStats(value ?? {}, at(path, "value"), issues);
        return factories.istioStats(settings, name, place.direction);
      }
      issues.add(
        at(path, "type_url"),
        `${typeUrl} is not implemented by this proxy`,
        `only ${istioStatsType} is`,
      );
      return undefined;
    }
    default:
      issues.add(path, `${message?.$typeName} is not an HTTP filter`);
      return undefined;
  }
}

/** Decodes one entry of `typed_per_filter_config` into what its filter reads at run time. */
export function decodePerFilterConfig(config: Any, path: string, context: DecodeContext): unknown {
  const message = unpackAny(config);
  const { factories, issues } = context;
  switch (message?.$typeName) {
    case undefined:
      return undefined;
    case "envoy.extensions.filters.http.rbac.v3.RBACPerRoute": {
      const { rbac } = message as RBACPerRoute;
      return factories.rbacRoute(rbac && decodeHttpRbac(rbac, at(path, "rbac"), issues));
    }
    case "envoy.extensions.filters.http.fault.v3.HTTPFault":
      return factories.faultRoute(decodeFault(message as HTTPFault, path, issues));
    default:
      issues.add(path, `${message?.$typeName} is not the route configuration of a filter`);
      return undefined;
  }
}
