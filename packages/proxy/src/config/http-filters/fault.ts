import { HTTPFaultSchema } from "@weft/xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb";
import { createFaultFilter, faultStats } from "../../filters/fault.ts";
import { decodeFault } from "../decode-fault.ts";
import { httpFilterType, routeConfigType } from "./http-filter-type.ts";

export const faultFilter = httpFilterType(
  HTTPFaultSchema,
  (message, { name, statPrefix, path }, { issues, services }) => {
    const { clock, random, stats } = services;
    const plan = decodeFault(message, path, issues);
    return createFaultFilter(plan, { clock, random, stats: faultStats(stats, statPrefix) }, name);
  },
  routeConfigType(HTTPFaultSchema, (message, path, { issues }) => decodeFault(message, path, issues)),
);
