import type { Counter } from "@weft/base/metric-registry";
import type { MetadataValue } from "../layer/dynamic-metadata.ts";
import type { HttpFilter } from "../layer/http-filter.ts";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";

/** Values for one namespace. @see envoy.extensions.filters.http.set_metadata.v3.Metadata */
export interface MetadataEntry {
  readonly namespace: string;
  /** Joins what is there already; otherwise that stays as it is. */
  readonly mayOverwrite: boolean;
  readonly values: ReadonlyMap<string, MetadataValue>;
}

type MetadataObject = { readonly [key: string]: MetadataValue };

/** Counts entries that found their namespace taken, as `http.<stat_prefix>.set_metadata.overwrite_denied`. */
export function overwriteDeniedCounter(stats: EnvoyStats, statPrefix: string): Counter {
  return stats.counter("http.{envoy_http_conn_manager_prefix}.set_metadata.overwrite_denied", statPrefix);
}

/** Gives every request the same dynamic metadata, for the filters after it and for access logs. */
export function createSetMetadataFilter(
  entries: readonly MetadataEntry[],
  overwriteDenied: Counter,
  name: string,
): HttpFilter {
  return {
    name,
    onRequest(exchange) {
      const metadata = new Map(exchange.dynamicMetadata);
      exchange.dynamicMetadata = metadata;
      for (const { namespace, mayOverwrite, values } of entries) {
        const before = metadata.get(namespace);
        if (!before) metadata.set(namespace, values);
        else if (mayOverwrite) {
          const merged = new Map(before);
          for (const [key, value] of values) merged.set(key, mergeValue(merged.get(key), value));
          metadata.set(namespace, merged);
        } else overwriteDenied.add();
      }
      return "continue";
    },
  };
}

/** Lists grow, objects are merged, anything else is replaced. */
function mergeValue(before: MetadataValue | undefined, value: MetadataValue): MetadataValue {
  if (Array.isArray(before) && Array.isArray(value)) return [...before, ...value];
  if (!isObject(before) || !isObject(value)) return value;
  const merged = new Map(Object.entries(before));
  for (const [key, inner] of Object.entries(value)) merged.set(key, mergeValue(merged.get(key), inner));
  return Object.fromEntries(merged);
}

function isObject(value: MetadataValue | undefined): value is MetadataObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
