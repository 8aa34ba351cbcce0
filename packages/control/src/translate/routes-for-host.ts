import { create } from "@bufbuild/protobuf";
import {
  type RouteConfiguration,
  RouteConfigurationSchema,
} from "@weft/xds/gen/envoy/config/route/v3/route_pb";

/**
 * A route configuration as far as it can concern requests for a host: without
 * the virtual hosts none of whose domains is it, or a wildcard. Routes such
 * requests as the whole does; of thousands of hosts, few are left.
 */
export function routesForHost(config: RouteConfiguration, host: string): RouteConfiguration {
  const wanted = bare(host);
  const virtualHosts = config.virtualHosts.filter(({ domains }) =>
    domains.some((domain) => domain.includes("*") || bare(domain) === wanted),
  );
  return create(RouteConfigurationSchema, { ...config, virtualHosts });
}

/** Without case, port and trailing dot, which listeners may be told to ignore. */
function bare(host: string): string {
  return host.toLowerCase().replace(/:\d+$/, "").replace(/\.$/, "");
}
