import { TypedStructSchema } from "@weft/xds/gen/xds/type/v3/typed_struct_pb";
import { pack } from "./messages.ts";

/** Istio's standard metrics: one filter, for requests and for connections. */
export function istioStats() {
  const value = pack(TypedStructSchema, { typeUrl: "type.googleapis.com/stats.PluginConfig", value: {} });
  return { name: "istio.stats", configType: { case: "typedConfig" as const, value } };
}
