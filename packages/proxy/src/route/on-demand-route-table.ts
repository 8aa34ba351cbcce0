import type { HostNames } from "@weft/xds/host-names";
import type { RequestHead } from "../layer/message.ts";
import { DomainIndex } from "./domain-index.ts";
import {
  noRouteTrace,
  type OnDemandHosts,
  type RouteMatch,
  type RouteTable,
  type RouteTrace,
} from "./route-plan.ts";
import type { RouteSource } from "./route-predicate.ts";
import {
  compileVirtualHost,
  type RouteTableSpec,
  type VirtualHost,
  type VirtualHostSpec,
  withoutPort,
} from "./route-table.ts";

/** How the virtual hosts of a table are asked for. */
export interface OnDemandSource {
  readonly source: string;
  readonly discover: OnDemandHosts["discover"];
  /** Which there are; undefined where the source does not say. */
  readonly names: HostNames | undefined;
}

/** A virtual host that came by itself. */
interface Lone {
  readonly compiled: VirtualHost;
  readonly domains: readonly string[];
}

/**
 * A route table whose virtual hosts come when requests need them, beside those
 * that it has from the beginning. Each comes and goes alone: the others are not
 * compiled anew.
 *
 * Without names of what there is, a request for which no virtual host is there
 * waits, as in Envoy. With names it waits where its host is one of them and not
 * there yet, whatever wildcard would take it; nothing else ever waits.
 *
 * @see envoy.config.route.v3.Vhds
 */
export class OnDemandRouteTable implements RouteTable {
  readonly name: string;
  /** Where its virtual hosts come from, as `ChosenSource.source` names it. */
  readonly source: string;
  readonly onDemand: OnDemandHosts;
  readonly #spec: RouteTableSpec;
  readonly #names: HostNames | undefined;
  readonly #domains = new DomainIndex<VirtualHost>();
  readonly #byResource = new Map<string, Lone>();
  /** Those whose domains are not in force for the moment. */
  readonly #lifted = new Set<string>();
  /** Named, but the source has said that it does not have them. */
  readonly #missing = new Set<string>();

  /** `onDuplicate` as in `compileRouteTable`. */
  constructor(
    spec: RouteTableSpec,
    { source, discover, names }: OnDemandSource,
    onDuplicate: (domain: string, virtualHost: number, domainIndex: number) => void,
  ) {
    this.name = spec.name;
    this.source = source;
    this.onDemand = { discover, wantedFor: (request) => this.#wantedFor(request) };
    this.#spec = spec;
    this.#names = names;
    spec.virtualHosts.forEach((host, i) => {
      const compiled = compileVirtualHost(host, spec);
      host.domains.forEach((domain, j) => {
        if (!this.#domains.add(domain, compiled)) onDuplicate(domain, i, j);
      });
    });
  }

  /**
   * Puts the virtual host of a resource in the place of what it was before.
   *
   * @throws Error where another has one of its domains; what was there before stays then
   */
  set(resource: string, host: VirtualHostSpec): void {
    this.lift(resource);
    const compiled = compileVirtualHost(host, this.#spec);
    for (const domain of host.domains) {
      if (this.#domains.add(domain, compiled)) continue;
      for (const added of host.domains) this.#domains.delete(added, compiled);
      this.lower(resource);
      throw new Error(`domain '${domain}' is already claimed by another virtual host`);
    }
    this.#lifted.delete(resource);
    this.#byResource.set(resource, { compiled, domains: host.domains });
    this.#missing.delete(resource);
  }

  /** Takes its domains out, so that others that change with it may have them, until `set` or `lower`. */
  lift(resource: string): void {
    const former = this.#byResource.get(resource);
    if (!former) return;
    this.#lifted.add(resource);
    for (const domain of former.domains) this.#domains.delete(domain, former.compiled);
  }

  /** Puts back what was taken out and not replaced; domains that others have now stay theirs. */
  lower(resource: string): void {
    if (!this.#lifted.delete(resource)) return;
    const { compiled, domains } = this.#byResource.get(resource)!;
    for (const domain of domains) this.#domains.add(domain, compiled);
  }

  /** The source has no virtual host of this name, or none any more. */
  remove(resource: string): void {
    this.lift(resource);
    this.#lifted.delete(resource);
    this.#byResource.delete(resource);
    if (this.#names) this.#missing.add(resource);
  }

  /** Knows what an earlier version of it knew not to be there. */
  inherit(former: OnDemandRouteTable): void {
    if (!this.#names || former.source !== this.source) return;
    for (const resource of former.#missing) this.#missing.add(resource);
  }

  match(request: RequestHead, random: number, source?: RouteSource): RouteMatch | undefined {
    return this.#find(this.#hostOf(request))?.match(request, random, source);
  }

  trace(request: RequestHead, random: number, source?: RouteSource): RouteTrace {
    const host = this.#hostOf(request);
    return this.#find(host)?.trace(host, request, random, source) ?? noRouteTrace;
  }

  #hostOf({ authority }: RequestHead): string {
    return this.#spec.ignorePortInHost ? withoutPort(authority) : authority;
  }

  #find(host: string): VirtualHost | undefined {
    if (!this.#names) return this.#domains.find(host);
    const exact = this.#domains.findExact(host);
    if (exact) return exact;
    return this.#awaited(host, this.#names) === undefined ? this.#domains.find(host) : undefined;
  }

  #wantedFor(request: RequestHead): string | undefined {
    const host = this.#hostOf(request);
    if (this.#names) return this.#domains.findExact(host) ? undefined : this.#awaited(host, this.#names);
    return this.#domains.find(host) ? undefined : `${this.name}/${request.authority.toLowerCase()}`;
  }

  #awaited(host: string, names: HostNames): string | undefined {
    const name = names.find(host.toLowerCase());
    if (name === undefined) return undefined;
    const resource = `${this.name}/${name}`;
    return this.#missing.has(resource) || this.#byResource.has(resource) ? undefined : resource;
  }
}
