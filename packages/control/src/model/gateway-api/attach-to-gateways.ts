import type { ParentRefSpec } from "../../config/gateway-api-specs.ts";
import { resourceKey } from "../../config/resource.ts";
import type { GatewayRouting } from "../gateway.ts";
import { commonHost } from "../host.ts";
import { countShares } from "../route-shares.ts";
import type { Destination } from "../routing.ts";
import type { ApiListener } from "./api-listeners.ts";
import type { NoParent } from "./find-parent.ts";
import { HostOwners } from "./host-owners.ts";
import { byRank, maxMatches } from "./precedence.ts";
import type { CompiledRoute, RouteResource } from "./route-kinds.ts";
import type { ServedGateway } from "./served-gateways.ts";

/** One route at one listener, for the hosts that both name. */
interface ListenerAttachment {
  readonly listener: ApiListener;
  readonly hosts: readonly string[];
  readonly resource: RouteResource;
  readonly compiled: CompiledRoute;
}

/** Attaches routes to the listeners of Gateways and of ListenerSets, each to those of the one it names alone. */
export class GatewayAttachments {
  readonly #byOwner: ReadonlyMap<string, readonly ApiListener[]>;
  readonly #byListener = new Map<ApiListener, ListenerAttachment[]>();
  /** By listener and host. */
  readonly #matches = new Map<string, number>();

  readonly #owners: HostOwners;
  /** ListenerSets that no Gateway takes. */
  readonly #refused: ReadonlySet<string>;

  constructor(gateways: readonly ServedGateway[]) {
    const listeners = gateways.flatMap((gateway) => gateway.listeners);
    this.#byOwner = Map.groupBy(listeners, ({ owner }) => resourceKey(owner));
    this.#owners = new HostOwners(listeners);
    this.#refused = new Set(gateways.flatMap(({ refusedSets }) => refusedSets.map(resourceKey)));
  }

  /** Attaches a route to the listeners that its reference means and that take it; says which, or why none does. */
  attach(
    ref: ParentRefSpec,
    resource: RouteResource,
    compile: () => CompiledRoute,
  ): { readonly places: string } | NoParent {
    const named = { namespace: ref.namespace ?? resource.namespace, name: ref.name };
    const key = `${ref.kind ?? "Gateway"} ${named.namespace}/${named.name}`;
    const isSet = ref.kind === "ListenerSet";
    const owner = resourceKey({ kind: isSet ? "ListenerSet" : "KubernetesGateway", ...named });
    if (this.#refused.has(owner)) {
      const message = `the Gateway of ${key} does not take it: the route does nothing there`;
      return { reason: "NoMatchingParent", message, hint: "allowedListeners of the Gateway says which" };
    }
    const listeners = this.#byOwner.get(owner);
    if (!listeners) {
      const message = `${key} is none that Weft serves: the route does nothing there`;
      const hint = isSet
        ? "its parentRef must name a Gateway that is served"
        : "gatewayClassName must be istio, weft, or a GatewayClass of theirs";
      return { reason: undefined, message, hint };
    }
    const meant = listeners.filter(
      ({ spec }) =>
        (!ref.sectionName || ref.sectionName === spec.name) &&
        (ref.port === undefined || ref.port === spec.port),
    );
    if (meant.length === 0) {
      const known = listeners.map(({ spec }) => `${spec.name} (${spec.port})`).join(", ");
      return {
        reason: "NoMatchingParent",
        message: `${key} has no such listener`,
        hint: `it has ${known}`,
      };
    }
    const allowed = meant.filter(
      (one) => one.kinds.includes(resource.kind) && one.allows(resource.namespace),
    );
    if (allowed.length === 0) {
      const message = `no listener of ${key} takes ${resource.kind}s of namespace ${resource.namespace}`;
      return { reason: "NotAllowedByListeners", message, hint: "allowedRoutes of the listener says which" };
    }
    const compiled = compile();
    const found = allowed.flatMap((listener) => {
      const hosts = commonHosts(listener, resource);
      return hosts.length > 0 ? [{ listener, hosts, resource, compiled }] : [];
    });
    if (found.length === 0) {
      const message = `no listener of ${key} has one of the route's hostnames`;
      return { reason: "NoMatchingListenerHostname", message };
    }
    if (!found.every((one) => this.#hasRoom(one))) {
      const message = `${key} has ${maxMatches} matches for a host without this ${resource.kind}: it does nothing there`;
      return { reason: "UnsupportedValue", message, hint: "older routes go before: remove some" };
    }
    for (const one of found) this.#add(one);
    return {
      places: found.map(({ listener }) => `listener ${listener.spec.name} of ${key}`).join(", "),
    };
  }

  #hasRoom(one: ListenerAttachment): boolean {
    const count = countShares(one.compiled.http);
    return keysOf(one).every((key) => (this.#matches.get(key) ?? 0) + count <= maxMatches);
  }

  #add(one: ListenerAttachment): void {
    const own = this.#byListener.get(one.listener);
    if (own) own.push(one);
    else this.#byListener.set(one.listener, [one]);
    const count = countShares(one.compiled.http);
    for (const key of keysOf(one)) this.#matches.set(key, (this.#matches.get(key) ?? 0) + count);
  }

  /** How many routes a listener has. */
  count(listener: ApiListener): number {
    const own = this.#byListener.get(listener) ?? [];
    return new Set(own.map(({ resource }) => resourceKey(resource))).size;
  }

  /** Where the routes of each Gateway lead, by `namespace/name`: ports by host, undefined where none is named. */
  destinations(): Map<string, Map<string, Set<number | undefined>>> {
    const found = new Map<string, Map<string, Set<number | undefined>>>();
    for (const [{ gateway }, own] of this.#byListener) {
      const key = `${gateway.namespace}/${gateway.name}`;
      const hosts = found.get(key) ?? new Map<string, Set<number | undefined>>();
      found.set(key, hosts);
      for (const { host, port } of own.flatMap(({ compiled }) => destinationsOf(compiled))) {
        hosts.set(host, (hosts.get(host) ?? new Set()).add(port));
      }
    }
    return found;
  }

  /** What the routes say, by listener: of each host the most specific match first, whichever route has it. */
  routing(): Map<string, GatewayRouting[]> {
    return new Map(
      [...this.#byListener].map(([listener, own]) => [
        listener.written.server.gateway,
        listenerRouting(listener, own, (host) => this.#owners.owns(listener, host)),
      ]),
    );
  }
}

function keysOf({ listener, hosts }: ListenerAttachment): string[] {
  return hosts.map((host) => `${listener.written.server.gateway} ${host}`);
}

function listenerRouting(
  listener: ApiListener,
  own: readonly ListenerAttachment[],
  owns: (host: string) => boolean,
): GatewayRouting[] {
  const { name, namespace } = listener.owner;
  const common = { namespace, name, source: listener.written.server.source };
  const hosts = new Set(own.flatMap((one) => one.hosts));
  const http = [...hosts]
    .filter(owns)
    .sort()
    .flatMap((host): GatewayRouting[] => {
      const ranked = own.filter((one) => one.hosts.includes(host)).flatMap(({ compiled }) => compiled.http);
      return ranked.length > 0 ? [{ ...common, hosts: [host], http: byRank(ranked), tcp: [], tls: [] }] : [];
    });
  const streams = own.flatMap(({ compiled }): GatewayRouting[] => {
    const { tcp, tls } = compiled;
    return tcp.length + tls.length > 0 ? [{ ...common, hosts: ["*"], http: [], tcp, tls }] : [];
  });
  return [...http, ...streams];
}

function destinationsOf({ http, tcp, tls }: CompiledRoute): Pick<Destination, "host" | "port">[] {
  const requests = http.flatMap(({ route: { action } }) =>
    action.kind === "forward"
      ? [...action.destinations, ...action.mirrors.map(({ destination }) => destination)]
      : [],
  );
  return [...requests, ...[...tcp, ...tls].flatMap(({ destinations }) => destinations)];
}

/** A route without hostnames has the listener's. */
function commonHosts({ written }: ApiListener, { spec }: RouteResource): string[] {
  const { host } = written.server.hosts[0]!;
  const hostnames = "hostnames" in spec ? (spec.hostnames ?? []) : [];
  if (hostnames.length === 0) return [host];
  return [...new Set(hostnames.flatMap((name) => commonHost(host, name.toLowerCase()) ?? []))];
}
