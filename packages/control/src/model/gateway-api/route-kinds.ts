import type { ResourceOf } from "../../config/resource.ts";
import type { Protocol } from "../protocol.ts";
import { isHttp } from "../protocol.ts";
import type { TcpRoute, TlsRoute } from "../routing.ts";
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

/** Of the routes that have not changed, nor the services around them, the very same as before. */
export function compileRoute(resource: RouteResource, backends: BackendLookup): CompiledRoute {
  const last = compiled.get(resource);
  const { services, options, grants } = backends;
  const isSame = last?.of.services === services && last.of.options === options && last.of.grants === grants;
  if (last && isSame) return last.route;
  const route = compiledAnew(resource, backends);
  compiled.set(resource, { of: { services, options, grants }, route });
  return route;
}

const compiled = new WeakMap<RouteResource, { readonly of: BackendLookup; readonly route: CompiledRoute }>();

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
