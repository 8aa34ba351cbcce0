import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { Backoff } from "@weft/base/backoff";
import type { Clock, Timer } from "@weft/base/clock";
import type { Discovery, EndpointPlan, LocalityEndpoints } from "./cluster-plan.ts";

/** Addresses of a name, or a rejection; how the system resolves it, `/etc/hosts` included. */
export type ResolveHost = (hostname: string) => Promise<readonly { address: string; family: number }[]>;

export const resolveWithSystem: ResolveHost = (hostname) => lookup(hostname, { all: true });

type DnsPlan = Extract<Discovery, { kind: "strict-dns" | "logical-dns" }>;

export interface DnsDiscoveryOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly resolve: ResolveHost;
  readonly onEndpoints: (localities: readonly LocalityEndpoints[]) => void;
  readonly onFailure: () => void;
  /** All names have been answered or have failed once. */
  readonly onFirstRound: () => void;
}

/** A name that resolves to more addresses than this uses the first ones only. */
const maxAddresses = 1_000;

/**
 * Keeps a cluster's endpoints up to date from DNS.
 *
 * STRICT_DNS uses every address of every name; LOGICAL_DNS one address, which
 * it keeps while DNS still lists it. A name that fails keeps its last addresses
 * and is asked again with growing delays.
 */
export class DnsDiscovery {
  readonly #plan: DnsPlan;
  readonly #options: DnsDiscoveryOptions;
  readonly #names: DnsName[];
  #isStopped = false;
  #waiting: number;

  constructor(plan: DnsPlan, options: DnsDiscoveryOptions) {
    this.#plan = plan;
    this.#options = options;
    const hosts = new Set<string>();
    for (const locality of plan.endpoints) {
      for (const { address } of locality.endpoints) {
        if (address.kind === "ip" && isIP(address.host) === 0) hosts.add(address.host);
      }
    }
    this.#names = [...hosts].map((host) => ({
      host,
      addresses: [],
      timer: undefined,
      isWaiting: true,
      backoff: new Backoff({
        baseMs: Math.min(1_000, plan.refreshMs),
        maxMs: plan.refreshMs,
        random: options.random,
      }),
    }));
    this.#waiting = this.#names.length;
  }

  start(): void {
    if (this.#names.length === 0) {
      this.#publish();
      this.#options.onFirstRound();
    }
    for (const name of this.#names) void this.#refresh(name);
  }

  stop(): void {
    this.#isStopped = true;
    for (const name of this.#names) name.timer?.cancel();
  }

  async #refresh(name: DnsName): Promise<void> {
    let delayMs = this.#plan.refreshMs;
    try {
      const found = choose(await this.#options.resolve(name.host), this.#plan.family ?? "auto");
      if (this.#isStopped) return;
      name.backoff.reset();
      const changed = found.join() !== name.addresses.join();
      name.addresses = found;
      if (changed || name.isWaiting) this.#publish();
    } catch {
      if (this.#isStopped) return;
      this.#options.onFailure();
      delayMs = name.backoff.nextMs();
    }
    if (name.isWaiting) {
      name.isWaiting = false;
      this.#waiting -= 1;
      if (this.#waiting === 0) this.#options.onFirstRound();
    }
    name.timer = this.#options.clock.setTimer(() => void this.#refresh(name), delayMs);
  }

  #publish(): void {
    this.#options.onEndpoints(
      this.#plan.endpoints.map((locality) => ({
        ...locality,
        endpoints: locality.endpoints.flatMap((endpoint) => this.#expand(endpoint)),
      })),
    );
  }

  #expand(endpoint: EndpointPlan): EndpointPlan[] {
    const { address } = endpoint;
    if (address.kind !== "ip") return [endpoint];
    const name = this.#names.find(({ host }) => host === address.host);
    if (!name) return [endpoint];
    let addresses = name.addresses;
    if (this.#plan.kind === "logical-dns") {
      const current =
        name.current !== undefined && addresses.includes(name.current) ? name.current : addresses[0];
      name.current = current;
      addresses = current === undefined ? [] : [current];
    }
    return addresses.map((host) => ({
      ...endpoint,
      hostname: endpoint.hostname || address.host,
      address: { kind: "ip", host, port: address.port },
    }));
  }
}

interface DnsName {
  readonly host: string;
  readonly backoff: Backoff;
  addresses: readonly string[];
  timer: Timer | undefined;
  isWaiting: boolean;
  /** LOGICAL_DNS: the address in use. */
  current?: string | undefined;
}

/** Sorted, so that a resolver's rotation is no change; the order within LOGICAL_DNS does not matter either. */
function choose(
  found: readonly { address: string; family: number }[],
  family: NonNullable<DnsPlan["family"]>,
): string[] {
  const of = (wanted: number) =>
    found.filter((entry) => entry.family === wanted).map((entry) => entry.address);
  const v4 = of(4);
  const v6 = of(6);
  const chosen = {
    auto: v6.length > 0 ? v6 : v4,
    "v4-only": v4,
    "v6-only": v6,
    "v4-preferred": v4.length > 0 ? v4 : v6,
    all: [...v4, ...v6],
  }[family];
  return [...new Set(chosen)].sort().slice(0, maxAddresses);
}
