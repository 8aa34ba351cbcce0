import { create } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import type { VirtualHost } from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import {
  type RouteConfiguration,
  RouteConfigurationSchema,
} from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import type { HostClaims } from "./host-claims.ts";

/** What a virtual host is made from: two with equal keys are equal, whichever configuration they stand in. */
export interface HostKey {
  readonly from: readonly object[];
  /** What of it those objects do not tell: its port, whom its routes ask about, its domains. */
  readonly says: readonly [port: number, asked: string, domains: readonly string[]];
}

/** What is to be kept of an assembly, so that the next one costs what has changed. */
export interface RouteMemory {
  /** Of its hosts, in their order. */
  readonly keys: readonly HostKey[];
  readonly claims: HostClaims;
  /** Of the assembly that this is a part of, where it has not all of its hosts. */
  readonly whole?: RouteMemory;
  /** What its head has that is not the same for all of its name. */
  readonly names?: Any | undefined;
}

/**
 * A route configuration in pieces. Of thousands of hosts a change most often
 * concerns one: whoever keeps what the others were encoded to need not make
 * them again. A host that is as the one in its place before has that one's very
 * key.
 */
export interface RouteAssembly {
  /** Everything but its hosts. */
  readonly head: RouteConfiguration;
  readonly memory: RouteMemory;
  /** The host of the key at this place. */
  build(at: number): VirtualHost;
}

export function assembleRoutes({ head, memory, build }: RouteAssembly): RouteConfiguration {
  const virtualHosts = memory.keys.map((_, at) => build(at));
  return create(RouteConfigurationSchema, { ...head, virtualHosts });
}
