import type { Any } from "@bufbuild/protobuf/wkt";
import type { FilterConfig } from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import type { HttpFilter as HttpFilterMessage } from "@weft/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import { isRouterFilter } from "../filters/router-plan.ts";
import { ConfigLevels, filterDisabled, filterEnabled } from "../layer/filter-chain.ts";
import type { HttpFilter } from "../layer/http-filter.ts";
import type { DecodeContext } from "./decode-context.ts";
import { anySchema, unpackAny } from "./extension-registry.ts";
import type { HttpFilterPlace } from "./http-filters/http-filter-type.ts";
import { findHttpFilter, findRouteConfig } from "./http-filters/registry.ts";
import { at } from "./issues.ts";

/** Decodes the filters of a connection manager, in order; the last must be the router. */
export function decodeHttpFilters(
  filters: readonly HttpFilterMessage[],
  place: Pick<HttpFilterPlace, "statPrefix" | "direction">,
  path: string,
  context: DecodeContext,
): readonly HttpFilter[] {
  const { issues } = context;
  const decoded: HttpFilter[] = [];
  const names = new Set<string>();
  filters.forEach((filter, i) => {
    const { name, configType } = filter;
    const filterPath = `${path}[${i}]`;
    if (name === "") issues.add(at(filterPath, "name"), "is empty", "name the filter");
    if (names.has(name)) issues.add(at(filterPath, "name"), `'${name}' stands twice in this chain`);
    names.add(name);
    if (configType.case !== "typedConfig") {
      issues.add(filterPath, "needs `typed_config`", "name the filter's type with @type");
      return;
    }
    const own: HttpFilterPlace = { ...place, name, path: at(filterPath, "typed_config") };
    const made = decodeFilter(configType.value, own, context);
    if (!made) return;
    if (isRouterFilter(made)) {
      if (i !== filters.length - 1) issues.add(filterPath, "the router ends a chain", "put it last");
      if (filter.disabled) issues.add(at(filterPath, "disabled"), "the router cannot be disabled");
    }
    decoded.push(filter.disabled ? { ...made, isDisabled: true } : made);
  });
  const last = decoded.at(-1);
  if (!last || !isRouterFilter(last))
    issues.add(path, "does not end with envoy.filters.http.router", "add the router");
  return decoded;
}

/** An unknown type gives nothing: it has been reported, or is optional and left out. */
function decodeFilter(config: Any, place: HttpFilterPlace, context: DecodeContext): HttpFilter | undefined {
  const message = unpackAny(config);
  if (!message) return undefined;
  const type = findHttpFilter(message.$typeName);
  if (!type) context.issues.add(place.path, `${message.$typeName} is not an HTTP filter`);
  return type?.decode(message, place, context);
}

/**
 * Decodes one entry of `typed_per_filter_config` into what its filter reads at
 * run time, or into whether the filter takes part at all. Undefined where the
 * entry is optional and its type unknown.
 */
export function decodePerFilterConfig(config: Any, path: string, context: DecodeContext): unknown {
  const message = unpackAny(config);
  if (!message) return undefined;
  if (message.$typeName === "envoy.config.route.v3.FilterConfig") {
    return decodeFilterConfig(message as FilterConfig, path, context);
  }
  const type = findRouteConfig(message.$typeName);
  if (!type) context.issues.add(path, `${message.$typeName} is not the route configuration of a filter`);
  const decoded = type?.decode(message, path, context);
  return type?.isLayered && decoded !== undefined ? new ConfigLevels([decoded]) : decoded;
}

function decodeFilterConfig(filter: FilterConfig, path: string, context: DecodeContext): unknown {
  if (filter.disabled) return filterDisabled;
  const { config } = filter;
  if (!config) {
    context.issues.add(at(path, "config"), "is not set", "give one, or set `disabled: true`");
    return undefined;
  }
  if (config.typeUrl === "") return filterEnabled;
  if (anySchema(config)?.typeName === filter.$typeName) {
    context.issues.add(at(path, "config"), "holds another FilterConfig", "give the filter's own message");
    return undefined;
  }
  return decodePerFilterConfig(config, at(path, "config"), context);
}
