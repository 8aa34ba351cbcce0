import { create } from "@bufbuild/protobuf";
import type { VirtualHost } from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import {
  type RouteConfiguration,
  RouteConfigurationSchema,
} from "@weft/xds/gen/envoy/config/route/v3/route_pb";

/**
 * A virtual host that is still to be built, and what it is made from: two with
 * equal `variant` and identical `from` build equal ones, whichever
 * configuration they stand in. Without `from` it is built each time.
 */
export interface HostPiece {
  readonly from?: readonly object[];
  readonly variant: string;
  build(): VirtualHost;
}

/**
 * A route configuration in pieces. Of thousands of hosts a change most often
 * concerns one: whoever keeps what the others were encoded to need not make
 * them again.
 */
export interface RouteAssembly {
  /** Everything but its hosts. */
  readonly head: RouteConfiguration;
  readonly hosts: readonly HostPiece[];
}

export function assembleRoutes({ head, hosts }: RouteAssembly): RouteConfiguration {
  return create(RouteConfigurationSchema, { ...head, virtualHosts: hosts.map((host) => host.build()) });
}
