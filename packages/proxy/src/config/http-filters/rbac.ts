import { RBACPerRouteSchema, RBACSchema } from "@weft/xds/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb";
import { compileRbacRoute, createRbacFilter } from "../../filters/rbac.ts";
import { httpRbacStats } from "../../filters/rbac-stats.ts";
import { decodeHttpRbac } from "../decode-rbac.ts";
import { at } from "../issues.ts";
import { httpFilterType, routeConfigType } from "./http-filter-type.ts";

export const rbacFilter = httpFilterType(
  RBACSchema,
  (message, { name, statPrefix, path }, { issues, services }) => {
    const plan = decodeHttpRbac(message, path, issues);
    const { rulesStatPrefix, shadowRulesStatPrefix } = plan;
    const stats = httpRbacStats(services.stats, statPrefix, rulesStatPrefix, shadowRulesStatPrefix);
    return createRbacFilter(plan, stats, name);
  },
  routeConfigType(RBACPerRouteSchema, ({ rbac }, path, { issues }) =>
    compileRbacRoute(rbac && decodeHttpRbac(rbac, at(path, "rbac"), issues)),
  ),
);
