import { RouterSchema } from "@weft/xds/gen/envoy/extensions/filters/http/router/v3/router_pb";
import { routerFilter } from "../../filters/router-plan.ts";
import { httpFilterType } from "./http-filter-type.ts";

export const routerFilterType = httpFilterType(RouterSchema, (message) =>
  routerFilter({
    suppressEnvoyHeaders: message.suppressEnvoyHeaders,
    respectsExpectedTimeout: message.respectExpectedRqTimeout,
    startsChildSpan: message.startChildSpan,
  }),
);
