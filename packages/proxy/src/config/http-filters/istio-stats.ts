import { TypedStructSchema as UdpaTypedStructSchema } from "@weft/xds/gen/udpa/type/v1/typed_struct_pb";
import { type TypedStruct, TypedStructSchema } from "@weft/xds/gen/xds/type/v3/typed_struct_pb";
import { createIstioStatsFilter } from "../../filters/istio-stats.ts";
import type { HttpFilter } from "../../layer/http-filter.ts";
import type { DecodeContext } from "../decode-context.ts";
import { decodeIstioStats } from "../decode-istio-stats.ts";
import { at } from "../issues.ts";
import { type HttpFilterPlace, httpFilterType } from "./http-filter-type.ts";

/** Istio's own filter configuration travels as a TypedStruct that names its type. */
export const istioStatsType = "type.googleapis.com/stats.PluginConfig";

export const istioStatsFilters = [
  httpFilterType(TypedStructSchema, decode),
  httpFilterType(UdpaTypedStructSchema, decode),
];

function decode(
  { typeUrl, value }: Pick<TypedStruct, "typeUrl" | "value">,
  { name, direction, path }: HttpFilterPlace,
  context: DecodeContext,
): HttpFilter | undefined {
  const { issues, services } = context;
  if (typeUrl !== istioStatsType) {
    issues.add(
      at(path, "type_url"),
      `${typeUrl} is not implemented by this proxy`,
      `only ${istioStatsType} is`,
    );
    return undefined;
  }
  const settings = decodeIstioStats(value ?? {}, at(path, "value"), context);
  return createIstioStatsFilter(
    services.istioPlan(settings, direction),
    services.stats.registry,
    services.clock,
    name,
  );
}
