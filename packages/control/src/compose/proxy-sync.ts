import type { Clock } from "@weft/base/clock";
import type { AdsSession, TypeStatus } from "@weft/xds/ads-server";
import { isGiven } from "@weft/xds/snapshot";
import type { ProxyResource, SyncState, TypeSync, XdsKind } from "../api/protocol.ts";
import type { GivenType, InspectedClient } from "../inspect/client-status.ts";
import { proxyResources } from "../inspect/proxy-config.ts";

/** What one push brings: resources are in sync once acknowledged at this generation or later. */
export interface Push {
  /** What clients are told: the revision, and the count of pushes since the start. */
  readonly version: string;
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
  /** SPIFFE ID; "" on the plain listener, where nothing is verified. */
  readonly identity: string;
  readonly address: string;
  /** Version it says it runs; "" when it does not. */
  readonly version: string;
  /** Program that it says it is, e.g. `envoy/1.40.0`; "" when it does not. */
  readonly dataPlane: string;
  /** Only of agents: what they say their data plane was started with, as JSON text. */
  readonly bootstrap?: string;
  /** A gRPC application that is its own data plane. */
  readonly isProxyless: boolean;
}

/** The part of an ADS stream that says how far its client is. */
export type SyncedStream = Pick<
  AdsSession,
  "types" | "isSubscribed" | "isAnswered" | "error" | "snapshot" | "settledSnapshot" | "subscription"
>;

/** A change on its way to the proxies that it concerns. */
interface Convergence {
  readonly changedAtMs: number;
  readonly waiting: Set<ProxySync>;
  hasRefusal: boolean;
  /** While it is still being given to proxies. */
  isOpen: boolean;
  lastArrivalMs: number | undefined;
}

/** A push while it is being given to proxies, one after the other. */
export interface FollowedPush {
  /** It changes something for this proxy, if it is stale now. */
  given(proxy: ProxySync): void;
  /** All have been given it. */
  end(): void;
}

/** Changes followed at once; older ones are given up when proxies never answer. */
const maxConvergences = 256;

/** How far every connected client is, and how long changes took to reach all of them. */
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

  connect(info: ProxyInfo, stream: SyncedStream): ProxySync {
    const proxy = new ProxySync(info, stream, this.#clock.now());
    this.#proxies.add(proxy);
    this.#notify();
    return proxy;
  }

  disconnect(proxy: ProxySync): void {
    this.#proxies.delete(proxy);
    this.#arrived(proxy);
    this.#notify();
  }

  /** Follows a push until the last of the proxies that it changes something for has acknowledged it. */
  follow({ changedAtMs }: Push): FollowedPush {
    const waiting = new Set<ProxySync>();
    const convergence = { changedAtMs, waiting, hasRefusal: false, isOpen: true, lastArrivalMs: undefined };
    this.#convergences.push(convergence);
    if (this.#convergences.length > maxConvergences) this.#convergences.shift();
    return {
      given: (proxy) => {
        if (proxy.state === "stale") waiting.add(proxy);
      },
      end: () => {
        convergence.isOpen = false;
        this.#finish(convergence);
      },
    };
  }

  /** The client has answered everything of a push. */
  settled(proxy: ProxySync, push: Push): void {
    proxy.settle(push);
    if (proxy.state === "nacked") {
      for (const convergence of this.#convergences) {
        if (convergence.waiting.has(proxy)) convergence.hasRefusal = true;
      }
    }
    this.#arrived(proxy, push);
    this.#notify();
  }

  /** Calls back whenever any proxy's state changed. */
  watch(onChange: () => void): () => void {
    this.#watchers.add(onChange);
    return () => this.#watchers.delete(onChange);
  }

  #arrived(proxy: ProxySync, push?: Push): void {
    for (let i = this.#convergences.length - 1; i >= 0; i--) {
      const convergence = this.#convergences[i]!;
      if (push && push.changedAtMs < convergence.changedAtMs) continue;
      if (!convergence.waiting.delete(proxy)) continue;
      convergence.lastArrivalMs = this.#clock.monotonicMs();
      this.#finish(convergence);
    }
  }

  /** Nothing is told of a push that changed nothing for anybody. */
  #finish(convergence: Convergence): void {
    const { isOpen, waiting, lastArrivalMs, hasRefusal, changedAtMs } = convergence;
    if (isOpen || waiting.size > 0) return;
    const at = this.#convergences.indexOf(convergence);
    if (at < 0) return;
    this.#convergences.splice(at, 1);
    if (lastArrivalMs !== undefined && !hasRefusal) this.#onConverged(lastArrivalMs - changedAtMs);
  }

  #notify(): void {
    for (const onChange of this.#watchers) onChange();
  }
}

/** One client's line of the table. */
export class ProxySync {
  readonly info: ProxyInfo;
  readonly connectedAtMs: number;
  readonly #stream: SyncedStream;
  #ackedRevision = 0;

  constructor(info: ProxyInfo, stream: SyncedStream, connectedAtMs: number) {
    this.info = info;
    this.connectedAtMs = connectedAtMs;
    this.#stream = stream;
  }

  /** The newest revision acknowledged in every type it subscribes to. */
  get ackedRevision(): number {
    return this.#ackedRevision;
  }

  /** True until it has asked for anything: there is nothing it could acknowledge. */
  get isIdle(): boolean {
    return !this.#stream.isSubscribed;
  }

  /** False while it still loads its first configuration: how long that takes says nothing about a change. */
  get isInService(): boolean {
    const { settledSnapshot, isAnswered } = this.#stream;
    return settledSnapshot !== undefined && isAnswered;
  }

  get state(): SyncState {
    const { isSubscribed, snapshot, error } = this.#stream;
    if (!isSubscribed || !snapshot) return "not sent";
    if (error !== undefined) return "nacked";
    return this.#isSettled ? "synced" : "stale";
  }

  /** The first error of a refused type. */
  get error(): string | undefined {
    return this.#stream.error;
  }

  get types(): readonly TypeSync[] {
    return this.#stream.types.map((type) => typeSync(type, this.#isSettled));
  }

  /** What it is given of a kind, where it is given anything. */
  resources(kind: XdsKind): readonly ProxyResource[] {
    const { snapshot } = this.#stream;
    return snapshot ? proxyResources(kind, snapshot, (type) => this.#stream.subscription(type)) : [];
  }

  /** What it is given of every type it asks for. */
  get given(): readonly GivenType[] {
    return this.#stream.types.map((type) => givenType(type, this.#stream, this.#isSettled));
  }

  settle(push: Push): void {
    if (this.#stream.error === undefined) this.#ackedRevision = Math.max(this.#ackedRevision, push.revision);
  }

  get #isSettled(): boolean {
    const { snapshot, settledSnapshot } = this.#stream;
    return snapshot !== undefined && settledSnapshot === snapshot;
  }
}

/** Every client as it is now, one at a time, so that none is looked at in vain. */
export function* inspectedClients(proxies: Iterable<ProxySync>): Iterable<InspectedClient> {
  for (const proxy of proxies) {
    const { nodeId, dataPlane } = proxy.info;
    yield { nodeId, dataPlane, types: proxy.given };
  }
}

/** Data planes, not their agents, by how far they are. */
export function countByState({ proxies }: Pick<ProxySyncTable, "proxies">): Record<SyncState, number> {
  const counts: Record<SyncState, number> = { synced: 0, stale: 0, nacked: 0, "not sent": 0 };
  for (const { info, state } of proxies) if (info.role === "sidecar") counts[state] += 1;
  return counts;
}

function givenType(type: TypeStatus, stream: SyncedStream, isSettled: boolean): GivenType {
  const { typeUrl, error, sentMs: sentAtMs } = type;
  const { snapshot } = stream;
  const held = snapshot?.byType.get(typeUrl);
  const asked = stream.subscription(typeUrl) ?? { isWildcard: false, names: new Set<string>() };
  return {
    typeUrl,
    state: typeState(type, isSettled),
    error,
    sentAtMs,
    resources: [...(held?.values() ?? [])].filter((resource) => isGiven(asked, resource, snapshot!)),
    missing: [...asked.names].filter((name) => !held?.has(name)),
  };
}

const shortNames: Readonly<Record<string, string>> = {
  Cluster: "CDS",
  ClusterLoadAssignment: "EDS",
  Listener: "LDS",
  RouteConfiguration: "RDS",
  VirtualHost: "VHDS",
  Secret: "SDS",
  NameTable: "NDS",
};

/** `CDS` for the cluster type, and so on; the last word of a type nobody named. */
export function shortTypeName(typeUrl: string): string {
  const last = typeUrl.slice(typeUrl.lastIndexOf(".") + 1);
  return shortNames[last] ?? last;
}

function typeSync(type: TypeStatus, isSettled: boolean): TypeSync {
  return {
    type: shortTypeName(type.typeUrl),
    state: typeState(type, isSettled),
    sentVersion: type.sentVersion || undefined,
    ackedVersion: type.ackedVersion || undefined,
    sentAtMs: type.sentMs,
    ackedAtMs: type.ackedMs,
    error: type.error,
  };
}

function typeState(type: TypeStatus, isSettled: boolean): SyncState {
  if (type.error !== undefined) return "nacked";
  if (type.isInFlight) return "stale";
  return isSettled || type.ackedMs !== undefined ? "synced" : "not sent";
}
