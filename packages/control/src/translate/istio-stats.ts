import type { JsonObject } from "@bufbuild/protobuf";
import { TypedStructSchema } from "@weft/xds/gen/xds/type/v3/typed_struct_pb";
import type { MetricsRule } from "../model/signals.ts";
import { pack } from "./messages.ts";

/**
 * Istio's standard metrics: one filter, for requests and for connections.
 * Without a rule it counts nothing, and peers still learn who they are.
 */
export function istioStats(rule: MetricsRule | undefined) {
  const value = pack(TypedStructSchema, {
    typeUrl: "type.googleapis.com/stats.PluginConfig",
    value: rule ? settingsOf(rule) : { metrics: [{ drop: true }] },
  });
  return { name: "istio.stats", configType: { case: "typedConfig" as const, value } };
}

function settingsOf({ reportingMs, overrides }: MetricsRule): JsonObject {
  const metrics = overrides.map(
    ({ metric, isDropped, removedTags, tags }): JsonObject => ({
      name: metric,
      ...(isDropped ? { drop: true } : {}),
      ...(removedTags.length > 0 ? { tags_to_remove: [...removedTags] } : {}),
      ...(tags.length > 0
        ? { dimensions: Object.fromEntries(tags.map(({ name, expression }) => [name, expression])) }
        : {}),
    }),
  );
  return {
    ...(metrics.length > 0 ? { metrics } : {}),
    ...(reportingMs === undefined ? {} : { tcp_reporting_duration: `${reportingMs / 1_000}s` }),
  };
}
