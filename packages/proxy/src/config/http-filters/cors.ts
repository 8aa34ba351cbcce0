import { CorsPolicySchema, CorsSchema } from "@weft/xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb";
import { corsStats, createCorsFilter } from "../../filters/cors.ts";
import { decodeCorsPolicy } from "../decode-cors.ts";
import { httpFilterType, routeConfigType } from "./http-filter-type.ts";

export const corsFilter = httpFilterType(
  CorsSchema,
  (_message, { name, statPrefix }, { services }) =>
    createCorsFilter(corsStats(services.stats, statPrefix), services.random, name),
  routeConfigType(CorsPolicySchema, decodeCorsPolicy, true),
);
