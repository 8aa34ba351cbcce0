import type { StringPredicate } from "../route/string-matcher.ts";
import type { AdminAnswer } from "./admin-server.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Which part of `/config_dump` is asked for. */
export interface ConfigSelection {
  /** A list of one of the dumps, such as `dynamic_listeners`, whose elements are shown alone. */
  readonly resource: string | undefined;
  /** Paths of the fields to show, of elements where there is `resource` and of dumps where not; a `FieldMask`. */
  readonly mask: string | undefined;
  /** Resources whose name does not match are left out. */
  readonly matchesName: StringPredicate | undefined;
}

/** The lists of the dumps, and the type of their elements. @see envoy.admin.v3 config_dump_shared.proto */
const elementTypes: Readonly<Record<string, string>> = {
  static_clusters: "ClustersConfigDump.StaticCluster",
  dynamic_active_clusters: "ClustersConfigDump.DynamicCluster",
  dynamic_warming_clusters: "ClustersConfigDump.DynamicCluster",
  dynamic_endpoint_configs: "EndpointsConfigDump.DynamicEndpointConfig",
  static_listeners: "ListenersConfigDump.StaticListener",
  dynamic_listeners: "ListenersConfigDump.DynamicListener",
  dynamic_route_configs: "RoutesConfigDump.DynamicRouteConfig",
  dynamic_active_secrets: "SecretsConfigDump.DynamicSecret",
};

/** The part of a whole dump that is asked for, as Envoy selects and words it. */
export function selectConfig(configs: readonly Fields[], selection: ConfigSelection): AdminAnswer {
  const { resource, mask, matchesName } = selection;
  const dumps = matchesName ? configs.map((dump) => onlyNamed(dump, matchesName)) : configs;
  if (resource === undefined) return mask === undefined ? shown(dumps) : masked(dumps, mask);
  const dump = dumps.find((candidate) => resource !== "@type" && Object.hasOwn(candidate, resource));
  if (!dump) return { status: 404, body: `${resource} not found in config dump` };
  const list = dump[resource];
  if (!Array.isArray(list)) {
    const body = `${resource} is not a repeated field. Use ?mask=${resource} to get only this field`;
    return { status: 400, body };
  }
  const type = `type.googleapis.com/envoy.admin.v3.${elementTypes[resource]}`;
  const elements = list.map((element: Fields) => ({ "@type": type, ...element }));
  return mask === undefined || elements.length === 0 ? shown(elements) : masked(elements, mask);
}

function shown(configs: readonly Fields[]): AdminAnswer {
  const body = configs.length > 0 ? { configs } : {};
  return { contentType: "application/json", body: `${JSON.stringify(body, undefined, 1)}\n` };
}

function masked(configs: readonly Fields[], mask: string): AdminAnswer {
  const paths = mask.split(",").map((path) => path.split("."));
  const kept = configs.filter((config) => paths.every(([field]) => Object.hasOwn(config, field!)));
  if (kept.length === 0) {
    return { status: 400, body: `FieldMask ${mask} could not be successfully applied to any configs.` };
  }
  return shown(kept.map((config) => onlyFields(config, paths) as Fields));
}

/** What the paths name, and the type of messages that have one. */
function onlyFields(value: unknown, paths: readonly (readonly string[])[]): unknown {
  if (paths.some((path) => path.length === 0) || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value;
  const entries = Object.entries(value).flatMap(([key, inner]) => {
    if (key === "@type") return [[key, inner]];
    const below = paths.filter(([first]) => first === key).map((path) => path.slice(1));
    return below.length > 0 ? [[key, onlyFields(inner, below)]] : [];
  });
  return Object.fromEntries(entries);
}

function onlyNamed(dump: Fields, matchesName: StringPredicate): Fields {
  return Object.fromEntries(
    Object.entries(dump).map(([key, value]) => [
      key,
      Array.isArray(value) && key in elementTypes
        ? value.filter((element) => matchesName(nameOf(element)))
        : value,
    ]),
  );
}

function nameOf(element: Fields): string {
  if (typeof element["name"] === "string") return element["name"];
  const { cluster, listener, route_config, endpoint_config } = element as Readonly<
    Record<string, Fields | undefined>
  >;
  const named = cluster ?? listener ?? route_config ?? endpoint_config;
  return `${named?.["name"] ?? named?.["cluster_name"] ?? ""}`;
}
