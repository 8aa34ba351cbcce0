import { messageOf } from "@weft/base/errors";
import type { VirtualHost } from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import type { RouteConfiguration } from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import { OnDemandRouteTable } from "../route/on-demand-route-table.ts";
import type { RouteTable } from "../route/route-plan.ts";
import type { IncomingResource } from "./held-resources.ts";
import type { ResourceDecoder } from "./resource-decoder.ts";
import type { WrittenMessage } from "./written-message.ts";

/** A virtual host that came by itself. */
export interface HeldHost {
  /** Of the route configuration that it is part of; both by the same source. */
  readonly source: string;
  readonly resource: IncomingResource;
  readonly written: WrittenMessage;
  readonly updatedMs: number;
}

interface HostSet {
  readonly table: OnDemandRouteTable;
  readonly written: WrittenMessage;
  /** By the name of their resources. */
  readonly hosts: Map<string, HeldHost>;
  /** Other names they were asked for by. */
  readonly aliases: Set<string>;
  updatedMs: number;
}

/**
 * The virtual hosts that came by themselves, for each route configuration in
 * force that asks for them. They outlive its versions, and go with it.
 *
 * A resource is named `<route configuration>/<host>`.
 */
export class VirtualHostSets {
  readonly #decoder: ResourceDecoder;
  /** By the key of the route configuration. */
  readonly #sets = new Map<string, HostSet>();

  constructor(decoder: ResourceDecoder) {
    this.#decoder = decoder;
  }

  /**
   * Takes the new version of a route configuration, with the virtual hosts that
   * are there already.
   *
   * @throws Error where one of those does not go with it
   */
  adopt(key: string, table: RouteTable, written: WrittenMessage): void {
    if (!(table instanceof OnDemandRouteTable)) {
      this.#sets.delete(key);
      return;
    }
    const former = this.#sets.get(key);
    const set: HostSet = {
      table,
      written,
      hosts: former?.table.source === table.source ? former.hosts : new Map(),
      aliases: former?.table.source === table.source ? former.aliases : new Set(),
      updatedMs: 0,
    };
    const config = configOf(set);
    for (const [name, { resource }] of set.hosts) {
      try {
        table.set(name, this.#decoder.virtualHost(resource.body, config).plan);
      } catch (error) {
        throw new Error(`virtual host '${name}', which came by itself: ${messageOf(error)}`);
      }
    }
    if (former) table.inherit(former.table);
    this.#sets.set(key, set);
  }

  forget(key: string): void {
    this.#sets.delete(key);
  }

  /** Whether a virtual host of this name, or one that it is another name of, is there. */
  has(name: string): boolean {
    for (const { hosts, aliases } of this.#sets.values()) {
      if (hosts.has(name) || aliases.has(name)) return true;
    }
    return false;
  }

  /** Whether a route configuration in force asks this source for virtual hosts named so. */
  isWanted(source: string, name: string): boolean {
    return this.#setsOf(source, name).next().value !== undefined;
  }

  /**
   * Takes what a source says of virtual hosts, each by itself: the others of its
   * route configuration are left as they are, and of a bad one its last good
   * version stays.
   *
   * @returns what is wrong, resource by resource
   */
  update(
    source: string,
    updated: readonly IncomingResource[],
    removed: readonly string[],
    nowMs: number,
  ): readonly string[] {
    const errors: string[] = [];
    // First, so that a domain may move from one to another.
    for (const name of removed) this.#remove(source, name, nowMs);
    const changed = updated.filter((resource) => !this.#isHeld(source, resource));
    for (const { name } of changed) for (const { table } of this.#setsOf(source, name)) table.lift(name);
    for (const resource of changed) {
      try {
        this.#set(source, resource, nowMs);
      } catch (error) {
        errors.push(`virtual host '${resource.name}': ${messageOf(error)}`);
      }
    }
    for (const { name } of changed) for (const { table } of this.#setsOf(source, name)) table.lower(name);
    return errors;
  }

  /** Whether its content is what is in force; its version is noted then. */
  #isHeld(source: string, resource: IncomingResource): boolean {
    let isHeld = false;
    for (const { hosts } of this.#setsOf(source, resource.name)) {
      const held = hosts.get(resource.name);
      if (!held || Buffer.compare(held.resource.body, resource.body) !== 0) return false;
      hosts.set(resource.name, { ...held, resource: { ...resource, body: held.written.bytes } });
      isHeld = true;
    }
    return isHeld;
  }

  #set(source: string, resource: IncomingResource, nowMs: number): void {
    const { name, body, aliases = [] } = resource;
    for (const set of this.#setsOf(source, name)) {
      const { plan, written } = this.#decoder.virtualHost(body, configOf(set));
      set.table.set(name, plan);
      set.updatedMs = nowMs;
      set.hosts.set(name, {
        source,
        resource: { ...resource, body: written.bytes },
        written,
        updatedMs: nowMs,
      });
      for (const alias of aliases) set.aliases.add(alias);
    }
  }

  #remove(source: string, name: string, nowMs: number): void {
    for (const set of this.#setsOf(source, name)) {
      set.table.remove(name);
      if (set.hosts.delete(name)) set.updatedMs = nowMs;
    }
  }

  /** Every virtual host, once, in the order in which they came. */
  *held(): Iterable<HeldHost> {
    for (const { hosts } of this.#sets.values()) yield* hosts.values();
  }

  /** When one of a route configuration's was last changed; 0 for never. */
  updatedMs(key: string): number {
    return this.#sets.get(key)?.updatedMs ?? 0;
  }

  /** Those of one route configuration. */
  of(key: string): readonly VirtualHost[] {
    return Array.from(
      this.#sets.get(key)?.hosts.values() ?? [],
      ({ written }) => written.message as VirtualHost,
    );
  }

  *#setsOf(source: string, name: string): IterableIterator<HostSet> {
    const scope = name.slice(0, Math.max(0, name.lastIndexOf("/")));
    for (const set of this.#sets.values()) {
      if (set.table.name === scope && set.table.source === source) yield set;
    }
  }
}

function configOf({ written }: HostSet): RouteConfiguration {
  return written.message as RouteConfiguration;
}
