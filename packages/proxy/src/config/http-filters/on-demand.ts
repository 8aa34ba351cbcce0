import {
  type OnDemandCds,
  OnDemandSchema,
  PerRouteConfigSchema,
} from "@weft/xds/gen/envoy/extensions/filters/http/on_demand/v3/on_demand_pb";
import { createOnDemandFilter, type OnDemandPlan } from "../../filters/on-demand.ts";
import type { DecodeContext } from "../decode-context.ts";
import { decodeOnDemandSource } from "../decode-on-demand.ts";
import { at } from "../issues.ts";
import { httpFilterType, routeConfigType } from "./http-filter-type.ts";

/** Envoy's default, of requests. */
const timeoutMs = 5_000;

export const onDemandFilter = httpFilterType(
  OnDemandSchema,
  ({ odcds }, { name, path }, context) =>
    createOnDemandFilter(decodeOdcds(odcds, at(path, "odcds"), context), name),
  routeConfigType(PerRouteConfigSchema, ({ odcds }, path, context) =>
    decodeOdcds(odcds, at(path, "odcds"), context),
  ),
);

function decodeOdcds(odcds: OnDemandCds | undefined, path: string, context: DecodeContext): OnDemandPlan {
  if (!odcds) return { discover: undefined };
  const discover = decodeOnDemandSource(
    { source: odcds.source, timeout: odcds.timeout, defaultMs: timeoutMs },
    { source: at(path, "source"), timeout: at(path, "timeout") },
    context,
  );
  return { discover };
}
