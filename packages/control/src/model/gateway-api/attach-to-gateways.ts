import type { ParentRefSpec } from "../../config/gateway-api-specs.ts";
import { resourceKey } from "../../config/resource.ts";
import type { GatewayRouting } from "../gateway.ts";
import { commonHost } from "../host.ts";
import { countShares } from "../route-shares.ts";
import type { ApiListener } from "./api-gateways.ts";
import type { NoParent } from "./find-parent.ts";
import { byRank, maxMatches } from "./precedence.ts";
import type { CompiledRoute, RouteResource } from "./route-kinds.ts";

/** One route at one listener, for the hosts that both name. */
interface ListenerAttachment {
  readonly listener: ApiListener;
  readonly hosts: readonly string[];
  readonly resource: RouteResource;
  readonly compiled: CompiledRoute;
}

/** Attaches routes to the listeners of Gateways. */
export class GatewayAttachments {
  readonly #byGateway: ReadonlyMap<string, readonly ApiListener[]>;
  readonly #all: ListenerAttachment[] = [];
  /** By listener and host. */
  readonly #matches = new Map<string, number>();

  constructor(listeners: readonly ApiListener[]) {
    this.#byGateway = Map.groupBy(listeners, ({ gateway }) => `${gateway.namespace}/${gateway.name}`);
  }

  /** Attaches a route to the listeners that its reference means and that take it; says which, or why none does. */
  attach(
    ref: ParentRefSpec,
    resource: RouteResource,
    compile: () => CompiledRoute,
  ): { readonly places: string } | NoParent {
    const key = `${ref.namespace ?? resource.namespace}/${ref.name}`;
    const listeners = this.#byGateway.get(key);
    if (!listeners) {
      const message = `Gateway ${key} is none that Weft serves: the route does nothing there`;
      return {
        reason: undefined,
        message,
        hint: "gatewayClassName must be istio, weft, or a GatewayClass of theirs",
      };
    }
    const named = listeners.filter(
      ({ spec }) =>
        (!ref.sectionName || ref.sectionName === spec.name) &&
        (ref.port === undefined || ref.port === spec.port),
    );
    if (named.length === 0) {
      const known = listeners.map(({ spec }) => `${spec.name} (${spec.port})`).join(", ");
      return {
        reason: "NoMatchingParent",
        message: `Gateway ${key} has no such listener`,
        hint: `it has ${known}`,
      };
    }
    const allowed = named.filter(
      (one) => one.kinds.includes(resource.kind) && one.allows(resource.namespace),
    );
    if (allowed.length === 0) {
      const message = `no listener of Gateway ${key} takes ${resource.kind}s of namespace ${resource.namespace}`;
      return { reason: "NotAllowedByListeners", message, hint: "allowedRoutes of the listener says which" };
    }
    const compiled = compile();
    const found = allowed.flatMap((listener) => {
      const hosts = commonHosts(listener, resource);
      return hosts.length > 0 ? [{ listener, hosts, resource, compiled }] : [];
    });
    if (found.length === 0) {
      const message = `no listener of Gateway ${key} has one of the route's hostnames`;
      return { reason: "NoMatchingListenerHostname", message };
    }
    if (!found.every((one) => this.#hasRoom(one))) {
      const message = `Gateway ${key} has ${maxMatches} matches for a host without this ${resource.kind}: it does nothing there`;
      return { reason: "UnsupportedValue", message, hint: "older routes go before: remove some" };
    }
    for (const one of found) this.#add(one);
    return {
      places: found.map(({ listener }) => `listener ${listener.spec.name} of Gateway ${key}`).join(", "),
    };
  }

  #hasRoom(one: ListenerAttachment): boolean {
    const count = countShares(one.compiled.http);
    return keysOf(one).every((key) => (this.#matches.get(key) ?? 0) + count <= maxMatches);
  }

  #add(one: ListenerAttachment): void {
    this.#all.push(one);
    const count = countShares(one.compiled.http);
    for (const key of keysOf(one)) this.#matches.set(key, (this.#matches.get(key) ?? 0) + count);
  }

  /** How many routes a listener has. */
  count(listener: ApiListener): number {
    const own = this.#all.filter((one) => one.listener === listener);
    return new Set(own.map(({ resource }) => resourceKey(resource))).size;
  }

  /** What the routes say, by listener: of each host the most specific match first, whichever route has it. */
  routing(): Map<string, GatewayRouting[]> {
    const byListener = Map.groupBy(this.#all, ({ listener }) => listener);
    return new Map(
      [...byListener].map(([{ written }, own]) => [written.server.gateway, listenerRouting(own)]),
    );
  }
}

function keysOf({ listener, hosts }: ListenerAttachment): string[] {
  return hosts.map((host) => `${listener.written.server.gateway} ${host}`);
}

function listenerRouting(own: readonly ListenerAttachment[]): GatewayRouting[] {
  const [{ listener }] = own as [ListenerAttachment];
  const { name, namespace } = listener.gateway;
  const common = { namespace, name, source: listener.written.server.source };
  const hosts = new Set(own.flatMap((one) => one.hosts));
  const http = [...hosts].sort().flatMap((host): GatewayRouting[] => {
    const ranked = own.filter((one) => one.hosts.includes(host)).flatMap(({ compiled }) => compiled.http);
    return ranked.length > 0 ? [{ ...common, hosts: [host], http: byRank(ranked), tcp: [], tls: [] }] : [];
  });
  const streams = own.flatMap(({ compiled }): GatewayRouting[] => {
    const { tcp, tls } = compiled;
    return tcp.length + tls.length > 0 ? [{ ...common, hosts: ["*"], http: [], tcp, tls }] : [];
  });
  return [...http, ...streams];
}

/** A route without hostnames has the listener's. */
function commonHosts({ written }: ApiListener, { spec }: RouteResource): string[] {
  const { host } = written.server.hosts[0]!;
  const hostnames = "hostnames" in spec ? (spec.hostnames ?? []) : [];
  if (hostnames.length === 0) return [host];
  return [...new Set(hostnames.flatMap((name) => commonHost(host, name.toLowerCase()) ?? []))];
}
