import { coversHost } from "./host.ts";
import type { EgressHost } from "./scope.ts";
import { nearnessTo, type Visible } from "./visibility.ts";

/** Finds what a Sidecar's hosts mean among services, or among routing, without a look at all of them. */
export class HostIndex<T extends Visible> {
  readonly #hostOf: (one: T) => string;
  readonly #overlaps: boolean;
  readonly #all: readonly T[];
  readonly #byHost: ReadonlyMap<string, readonly T[]>;
  readonly #byNamespace: ReadonlyMap<string, readonly T[]>;

  /** @param overlaps whether a wildcard is meant by a host that it covers, too */
  constructor(all: Iterable<T>, hostOf: (one: T) => string, overlaps: boolean) {
    this.#hostOf = hostOf;
    this.#overlaps = overlaps;
    this.#all = [...all];
    this.#byHost = Map.groupBy(this.#all, hostOf);
    this.#byNamespace = Map.groupBy(this.#all, ({ namespace }) => namespace);
  }

  /** By host, in order of hosts: what these mean to the proxies of a namespace, of several the nearest. */
  select(hosts: readonly EgressHost[], namespace: string): Map<string, T> {
    const found = new Map<string, T>();
    for (const { namespace: written, host } of hosts) {
      const of = written === "." ? namespace : written;
      for (const one of this.#candidates(host, of)) {
        if (of === "*" || one.namespace === of) this.#add(found, one, namespace);
      }
    }
    return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** The nearest one for a hostname. */
  nearest(host: string, namespace: string): T | undefined {
    const found = new Map<string, T>();
    for (const one of this.#byHost.get(host) ?? []) this.#add(found, one, namespace);
    return found.get(host);
  }

  #candidates(host: string, namespace: string): readonly T[] {
    if (host === "*") return namespace === "*" ? this.#all : (this.#byNamespace.get(namespace) ?? []);
    const wider = this.#overlaps ? this.#wider(host) : [];
    if (!host.startsWith("*")) return [...(this.#byHost.get(host) ?? []), ...wider];
    const within = namespace === "*" ? this.#all : (this.#byNamespace.get(namespace) ?? []);
    return [...within.filter((one) => coversHost(host, this.#hostOf(one))), ...wider];
  }

  #wider(host: string): T[] {
    const labels = (host.startsWith("*.") ? host.slice(2) : host).split(".");
    return labels.flatMap((_, i) =>
      i === 0 ? [] : (this.#byHost.get(`*.${labels.slice(i).join(".")}`) ?? []),
    );
  }

  #add(found: Map<string, T>, one: T, namespace: string): void {
    const nearness = nearnessTo(namespace, one);
    if (nearness === undefined) return;
    const host = this.#hostOf(one);
    const other = found.get(host);
    if (!other || nearness < nearnessTo(namespace, other)!) found.set(host, one);
  }
}
