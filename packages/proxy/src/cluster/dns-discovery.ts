import { isIP } from "node:net";
import { Backoff } from "@weft/base/backoff";
import type { Clock, Timer } from "@weft/base/clock";
import type { DnsFamily, DnsPlan, EndpointPlan, LocalityEndpoints } from "./cluster-plan.ts";
import type { ResolvedAddress, ResolveHost } from "./resolve-host.ts";

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

/** One endpoint that has more addresses than this is tried at the first ones only. */
const maxTurns = 16;

/**
 * Keeps a cluster's endpoints up to date from DNS.
 *
 * STRICT_DNS uses every address of every name as an endpoint; LOGICAL_DNS all of
 * them as one, for connections that are made from then on. A name that fails keeps its last
 * addresses and is asked again with growing delays.
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
        baseMs: plan.failureBackoff?.baseMs ?? Math.min(1_000, plan.refreshMs),
        maxMs: plan.failureBackoff?.maxMs ?? plan.refreshMs,
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
    const { refreshMs, jitterMs = 0, respectsTtl = false, family = "auto", kind } = this.#plan;
    let delayMs = refreshMs;
    try {
      const answer = await this.#options.resolve(name.host, respectsTtl);
      if (this.#isStopped) return;
      const found = choose(answer, family, kind);
      if (respectsTtl) delayMs = ttlMsOf(answer) ?? delayMs;
      delayMs += Math.floor(this.#options.random() * jitterMs);
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
    const hostname = endpoint.hostname || address.host;
    const found = name.addresses.map((host) => ({ kind: "ip" as const, host, port: address.port }));
    if (this.#plan.kind !== "logical-dns")
      return found.map((one) => ({ ...endpoint, hostname, address: one }));
    const [first, ...others] = found;
    if (!first) return [];
    // One endpoint, wherever it is: its connections stay when the name leads elsewhere.
    const identity = `${address.host}:${address.port}`;
    const otherAddresses = others.length > 0 ? others : undefined;
    return [{ ...endpoint, hostname, identity, address: first, otherAddresses }];
  }
}

interface DnsName {
  readonly host: string;
  readonly backoff: Backoff;
  addresses: readonly string[];
  timer: Timer | undefined;
  isWaiting: boolean;
}

/** For STRICT_DNS sorted, so that a resolver's rotation is no change; for LOGICAL_DNS in the order to be tried. */
function choose(found: readonly ResolvedAddress[], family: DnsFamily, kind: DnsPlan["kind"]): string[] {
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
  if (kind === "logical-dns") return [...new Set(chosen)].slice(0, maxTurns);
  return [...new Set(chosen)].sort().slice(0, maxAddresses);
}

/** Until the first of the addresses expires; undefined when none says. Never below a second. */
function ttlMsOf(found: readonly ResolvedAddress[]): number | undefined {
  const seconds = found.flatMap(({ ttlSeconds }) => (ttlSeconds ? [ttlSeconds] : []));
  return seconds.length === 0 ? undefined : Math.max(1, Math.min(...seconds)) * 1_000;
}
