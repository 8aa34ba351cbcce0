import type { ResourceOf } from "../../config/resource.ts";
import type { Protocol } from "../protocol.ts";
import { isHttp } from "../protocol.ts";
import type { TcpRoute, TlsRoute } from "../routing.ts";
import type { Service } from "../service.ts";
import type { BackendLookup, RefProblem } from "./backend-refs.ts";
import { grpcRules } from "./grpc-rules.ts";
import { httpRules } from "./http-rules.ts";
import type { RankedRoute } from "./precedence.ts";
import { tcpRules, tlsRules } from "./stream-rules.ts";

/** Kinds of routes, the more specific first: on one port only one kind is in force. */
export const routeKinds = ["GRPCRoute", "HTTPRoute", "TLSRoute", "TCPRoute"] as const;
export type RouteKind = (typeof routeKinds)[number];
export type RouteResource = { [K in RouteKind]: ResourceOf<K> }[RouteKind];

/** A route's rules, whatever it is attached to. */
export interface CompiledRoute {
  readonly http: readonly RankedRoute[];
  readonly tls: readonly TlsRoute[];
  readonly tcp: readonly TcpRoute[];
  readonly problems: readonly RefProblem[];
}

interface Compiled {
  readonly options: BackendLookup["options"];
  readonly grants: BackendLookup["grants"];
  /** What was found of its backends, by hostname. */
  readonly met: ReadonlyMap<string, Service | undefined>;
  readonly route: CompiledRoute;
}

const compiled = new WeakMap<RouteResource, Compiled>();

/** The very same as before for a route that has not changed, nor the services it leads to. */
export function compileRoute(resource: RouteResource, backends: BackendLookup): CompiledRoute {
  const { services, options, grants } = backends;
  const last = compiled.get(resource);
  if (last?.options === options && last.grants === grants && isAsMet(last, services)) return last.route;
  const met = new Map<string, Service | undefined>();
  const get = (host: string) => {
    const service = services.get(host);
    met.set(host, service);
    return service;
  };
  const route = compiledAnew(resource, { ...backends, services: { get } });
  compiled.set(resource, { options, grants, met, route });
  return route;
}

function isAsMet({ met }: Compiled, services: BackendLookup["services"]): boolean {
  for (const [host, service] of met) if (services.get(host) !== service) return false;
  return true;
}

function compiledAnew(resource: RouteResource, backends: BackendLookup): CompiledRoute {
  const none = { http: [], tls: [], tcp: [] };
  switch (resource.kind) {
    case "HTTPRoute": {
      const { routes, problems } = httpRules(resource, backends);
      return { ...none, http: routes, problems };
    }
    case "GRPCRoute": {
      const { routes, problems } = grpcRules(resource, backends);
      return { ...none, http: routes, problems };
    }
    case "TLSRoute": {
      const { routes, problems } = tlsRules(resource, backends);
      return { ...none, tls: routes, problems };
    }
    case "TCPRoute": {
      const { routes, problems } = tcpRules(resource, backends);
      return { ...none, tcp: routes, problems };
    }
  }
}

/** What a kind of route can be attached to. */
export interface Carries {
  readonly protocols: (protocol: Protocol) => boolean;
  readonly what: string;
}

export const carriedBy: Readonly<Record<RouteKind, Carries>> = {
  HTTPRoute: { protocols: isHttp, what: "HTTP" },
  GRPCRoute: { protocols: (protocol) => protocol === "grpc" || protocol === "http2", what: "gRPC" },
  TLSRoute: { protocols: (protocol) => protocol === "tls", what: "TLS" },
  TCPRoute: { protocols: (protocol) => protocol === "tcp" || protocol === "tls", what: "TCP" },
};
