import type { Clock } from "@weft/base/clock";
import type { SyncState, TypeSync } from "../api/protocol.ts";

/** What one push brings: resources are in sync once acknowledged at this generation or later. */
export interface Push {
  /** Counts pushes since the start. */
  readonly generation: number;
  /** The configuration revision it contains. */
  readonly revision: number;
  /** When what it brings was changed, in monotonic time. */
  readonly changedAtMs: number;
}

/** Who an xDS client is: said by its node id, and verified by its certificate. */
export interface ProxyInfo {
  readonly nodeId: string;
  readonly role: "agent" | "sidecar";
  readonly workloadId: string;
  readonly identity: string;
  readonly address: string;
  /** Version it says it runs; "" when it does not. */
  readonly version: string;
}

interface TypeState {
  wanted: string | undefined;
  sent: string | undefined;
  acked: string | undefined;
  sentAtMs: number | undefined;
  ackedAtMs: number | undefined;
  error: string | undefined;
}

/** A change on its way to the proxies that it concerns. */
interface Convergence {
  readonly changedAtMs: number;
  readonly waiting: Set<ProxySync>;
  hasRefusal: boolean;
}

/** Changes followed at once; older ones are given up when proxies never answer. */
const maxConvergences = 256;

/**
 * What every connected xDS client was meant to have, was sent, and has
 * acknowledged, per type. Versions are those of a client's whole type: equal
 * content has an equal version, so an unchanged type is in sync without a send.
 */
export class ProxySyncTable {
  readonly #clock: Clock;
  readonly #proxies = new Set<ProxySync>();
  readonly #onConverged: (elapsedMs: number) => void;
  readonly #convergences: Convergence[] = [];
  readonly #watchers = new Set<() => void>();

  constructor(clock: Clock, onConverged: (elapsedMs: number) => void) {
    this.#clock = clock;
    this.#onConverged = onConverged;
  }

  get proxies(): ReadonlySet<ProxySync> {
    return this.#proxies;
  }

  connect(info: ProxyInfo): ProxySync {
    const proxy = new ProxySync(info, this.#clock, () => this.#changed(proxy));
    this.#proxies.add(proxy);
    this.#notify();
    return proxy;
  }

  disconnect(proxy: ProxySync): void {
    this.#proxies.delete(proxy);
    this.#settle(proxy);
    this.#notify();
  }

  /** Follows a push until the last of the proxies it changes something for has acknowledged it. */
  follow(push: Push, concerned: Iterable<ProxySync>): void {
    const waiting = new Set([...concerned].filter((proxy) => proxy.state !== "synced"));
    if (waiting.size === 0) return;
    this.#convergences.push({ changedAtMs: push.changedAtMs, waiting, hasRefusal: false });
    if (this.#convergences.length > maxConvergences) this.#convergences.shift();
  }

  /** Calls back whenever any proxy's state changed. */
  watch(onChange: () => void): () => void {
    this.#watchers.add(onChange);
    return () => this.#watchers.delete(onChange);
  }

  #changed(proxy: ProxySync): void {
    if (proxy.state === "synced") this.#settle(proxy);
    else if (proxy.state === "nacked") {
      for (const convergence of this.#convergences) {
        if (convergence.waiting.has(proxy)) convergence.hasRefusal = true;
      }
      this.#settle(proxy);
    }
    this.#notify();
  }

  #settle(proxy: ProxySync): void {
    for (let i = this.#convergences.length - 1; i >= 0; i--) {
      const convergence = this.#convergences[i]!;
      if (!convergence.waiting.delete(proxy) || convergence.waiting.size > 0) continue;
      this.#convergences.splice(i, 1);
      if (!convergence.hasRefusal) this.#onConverged(this.#clock.monotonicMs() - convergence.changedAtMs);
    }
  }

  #notify(): void {
    for (const onChange of this.#watchers) onChange();
  }
}

/** One client's side of the table. */
export class ProxySync {
  readonly info: ProxyInfo;
  readonly connectedAtMs: number;
  readonly #clock: Clock;
  readonly #types = new Map<string, TypeState>();
  readonly #onChange: () => void;
  #target: Push | undefined;
  #ackedRevision = 0;

  constructor(info: ProxyInfo, clock: Clock, onChange: () => void) {
    this.info = info;
    this.connectedAtMs = clock.now();
    this.#clock = clock;
    this.#onChange = onChange;
  }

  get ackedRevision(): number {
    return this.#ackedRevision;
  }

  get types(): readonly (readonly [typeUrl: string, state: TypeState])[] {
    return [...this.#types];
  }

  get state(): SyncState {
    if (this.#types.size === 0) return "not sent";
    const states = [...this.#types.values()].map(stateOf);
    if (states.includes("nacked")) return "nacked";
    return states.every((state) => state === "synced") ? "synced" : "stale";
  }

  /** The first error of a refused type. */
  get error(): string | undefined {
    return [...this.#types.values()].find((type) => type.error !== undefined)?.error;
  }

  /** The client asked for a type; it is out of sync until it has acknowledged it. */
  subscribe(typeUrl: string, wanted: string): void {
    if (this.#types.has(typeUrl)) return;
    this.#types.set(typeUrl, { ...blank, wanted });
    this.#onChange();
  }

  /** What the client is to have from now on. True when that differs from before in a type it subscribes to. */
  aim(push: Push, versionOf: (typeUrl: string) => string): boolean {
    this.#target = push;
    let isChanged = false;
    for (const [typeUrl, type] of this.#types) {
      const wanted = versionOf(typeUrl);
      if (wanted !== type.wanted) isChanged = true;
      type.wanted = wanted;
    }
    this.#settle();
    return isChanged;
  }

  sent(typeUrl: string, version: string): void {
    const type = this.#types.get(typeUrl);
    if (!type) return;
    type.sent = version;
    type.sentAtMs = this.#clock.now();
  }

  acked(typeUrl: string, version: string): void {
    const type = this.#types.get(typeUrl);
    if (!type) return;
    type.acked = version;
    type.ackedAtMs = this.#clock.now();
    type.error = undefined;
    this.#settle();
    this.#onChange();
  }

  nacked(typeUrl: string, error: string): void {
    const type = this.#types.get(typeUrl);
    if (!type) return;
    type.error = error;
    this.#onChange();
  }

  #settle(): void {
    if (
      this.#target &&
      this.#types.size > 0 &&
      [...this.#types.values()].every((t) => stateOf(t) === "synced")
    ) {
      this.#ackedRevision = this.#target.revision;
    }
  }
}

const blank: TypeState = {
  wanted: undefined,
  sent: undefined,
  acked: undefined,
  sentAtMs: undefined,
  ackedAtMs: undefined,
  error: undefined,
};

function stateOf(type: TypeState): SyncState {
  if (type.error !== undefined) return "nacked";
  if (type.acked !== undefined && type.acked === type.wanted) return "synced";
  return type.sent === undefined ? "not sent" : "stale";
}

const shortNames: readonly (readonly [suffix: string, short: string])[] = [
  ["Cluster", "CDS"],
  ["ClusterLoadAssignment", "EDS"],
  ["Listener", "LDS"],
  ["RouteConfiguration", "RDS"],
  ["Secret", "SDS"],
  ["NameTable", "NDS"],
];

/** `CDS` for the cluster type, and so on; the last word of a type nobody named. */
export function shortTypeName(typeUrl: string): string {
  const last = typeUrl.slice(typeUrl.lastIndexOf(".") + 1);
  return shortNames.find(([suffix]) => suffix === last)?.[1] ?? last;
}

export function typeSync(typeUrl: string, type: TypeState): TypeSync {
  return {
    type: shortTypeName(typeUrl),
    state: stateOf(type),
    sentVersion: type.sent,
    ackedVersion: type.acked,
    sentAtMs: type.sentAtMs,
    ackedAtMs: type.ackedAtMs,
    error: type.error,
  };
}
