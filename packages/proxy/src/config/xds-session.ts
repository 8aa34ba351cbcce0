import type { Clock, Timer } from "@weft/base/clock";
import { typeUrl } from "@weft/xds/type-url";
import type { OnDemandResources } from "../layer/resource-discovery.ts";
import { type ChosenSource, parseSource } from "./config-source.ts";
import type { IncomingResource } from "./held-resources.ts";
import type { KeptConfig, KeptResource } from "./kept/kept-format.ts";
import type { LiveConfig } from "./live-config.ts";
import { parseSourcedKey, sourcedKey } from "./sourced-name.ts";
import type { XdsStats } from "./xds-stats.ts";

/** An open line to one source of resources: a management server, or a file. */
export interface ResourceStream {
  /** Replaces what is asked for of one type; undefined asks for everything (wildcard). */
  subscribe(type: string, names: ReadonlySet<string> | undefined): void;
  /** Asks for everything of a type, and for these by name beside it. */
  subscribeAlso(type: string, names: ReadonlySet<string>): void;
  /** Counts versions, by type and name, as received, so that the server says what differs. */
  hold(held: ReadonlyMap<string, ReadonlyMap<string, string>>): void;
  close(): void;
}

/** Takes a source's resources; the text it returns refuses them. */
export type ResourceHandler = (
  type: string,
  updated: readonly IncomingResource[],
  removed: readonly string[],
) => string | undefined;

export interface XdsSessionOptions {
  readonly clock: Clock;
  readonly live: LiveConfig;
  /** Where clusters and listeners come from besides the bootstrap. */
  readonly cds: ChosenSource | undefined;
  readonly lds: ChosenSource | undefined;
  readonly stats?: XdsStats;
  /** What was given to the configuration, the parts it refused included, for those who hold a copy. */
  onAccepted?(update: AcceptedUpdate): void;
  /** Clusters that are asked for by name, by source. */
  wantedClusters?(): WantedNames;
  /** And virtual hosts. */
  wantedHosts?(): WantedNames;
  /** Whether clusters the data plane itself discovers (DNS) have their first endpoints. */
  isDataPlaneWarm(): boolean;
  /** Whether the way to a server is known: the cluster it is reached by (undefined: that of ADS) has what it needs. */
  isReachable(cluster: string | undefined): boolean;
  /** Opens the stream of a type from a source; that of `ads` carries all types. */
  open(source: string, type: string, handle: ResourceHandler): ResourceStream;
  /** What an earlier run kept, to start from when no server has said anything for `afterMs`. */
  readonly kept?: KeptSource;
  /** Everything the first configuration brought is in force, or is no longer waited for. */
  onInitialized(): void;
}

/** What is asked for by name because requests need it. */
export type WantedNames = Pick<OnDemandResources, "wanted" | "revision">;

/** One response of a source. */
export interface AcceptedUpdate {
  readonly source: string;
  readonly type: string;
  readonly updated: readonly IncomingResource[];
  readonly removed: readonly string[];
}

export interface KeptSource {
  readonly afterMs: number;
  read(): KeptConfig | undefined;
  /** What has been accepted of it. */
  accepted(): Iterable<KeptResource>;
  /** What was kept is in force; undefined: a server has been heard since. */
  onInForce(kept: KeptConfig | undefined): void;
}

/** Each type before those that refer to it; routes after the listeners that ask for them. */
const restoreOrder = [
  typeUrl.secret,
  typeUrl.cluster,
  typeUrl.endpoint,
  typeUrl.listener,
  typeUrl.route,
  typeUrl.virtualHost,
] as const;

/**
 * Asks the sources of configuration for what this proxy needs and hands over
 * what comes, in an order that leaves no gap: clusters first, listeners once
 * the first clusters are warm, then whatever those refer to, by name. What
 * nothing refers to any more is unsubscribed.
 */
export class XdsSession {
  readonly #options: XdsSessionOptions;
  readonly #streams = new Map<string, ResourceStream>();
  readonly #subscribed = new Map<string, string>();
  readonly #timers = new Set<Timer>();
  /** Which revision of the clusters asked for by name a source knows. */
  readonly #namedClusters = new Map<string, number>();
  #hasClusters: boolean;
  #hasListeners: boolean;
  #asksForClusters = false;
  #asksForListeners = false;
  #isInitialized = false;
  #isServerHeard = false;
  #isKeptInForce = false;
  #isClosed = false;

  constructor(options: XdsSessionOptions) {
    this.#options = options;
    this.#hasClusters = !options.cds;
    this.#hasListeners = !options.lds;
    const { kept, clock } = options;
    if (kept) this.#timers.add(clock.setTimer(() => this.#startFromKept(kept), kept.afterMs));
  }

  /** Brings subscriptions in line with what is needed now. Call at the start and after every change of the configuration. */
  update(): void {
    if (this.#isClosed) return;
    const { live, cds, lds } = this.#options;
    if (cds && !this.#asksForClusters && this.#isReachable(cds.source)) {
      this.#asksForClusters = true;
      this.#stream(cds.source, typeUrl.cluster).subscribe(typeUrl.cluster, undefined);
      this.#giveUpLater(typeUrl.cluster, cds.fetchTimeoutMs, () => {
        const isOverdue = !this.#hasClusters;
        this.#hasClusters = true;
        return isOverdue;
      });
    }
    this.#wantClusters();
    const wanted = live.wanted();
    this.#wantAll(typeUrl.secret, wanted.secrets);
    this.#wantAll(typeUrl.endpoint, wanted.services);
    this.#wantAll(typeUrl.route, wanted.routes);
    this.#wantHosts();
    if (
      lds &&
      !this.#asksForListeners &&
      this.#hasClusters &&
      this.#areClustersWarm &&
      this.#isReachable(lds.source)
    ) {
      this.#asksForListeners = true;
      this.#stream(lds.source, typeUrl.listener).subscribe(typeUrl.listener, undefined);
      this.#giveUpLater(typeUrl.listener, lds.fetchTimeoutMs, () => {
        const isOverdue = !this.#hasListeners;
        this.#hasListeners = true;
        return isOverdue;
      });
    }
    if (this.#isInitialized || !this.#hasClusters || !this.#hasListeners) return;
    if (this.#areClustersWarm && live.listeners.isWarm) {
      this.#isInitialized = true;
      this.#options.onInitialized();
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers) timer.cancel();
    for (const stream of this.#streams.values()) stream.close();
    this.#streams.clear();
  }

  get #areClustersWarm(): boolean {
    return this.#options.live.clusters.isWarm && this.#options.isDataPlaneWarm();
  }

  #isReachable(source: string): boolean {
    const origin = parseSource(source);
    if (origin.kind === "path") return true;
    return this.#options.isReachable(origin.kind === "ads" ? undefined : origin.cluster);
  }

  /** Takes up what an earlier run left, as if it came from the servers it came from. */
  #startFromKept(source: KeptSource): void {
    if (this.#isClosed || this.#isServerHeard) return;
    const kept = source.read();
    if (!kept) return;
    const { live } = this.#options;
    this.#isKeptInForce = true;
    for (const type of restoreOrder) {
      const bySource = Map.groupBy(
        kept.resources.filter((one) => one.type === type && !live.hasSecret(sourcedKey(one))),
        (one) => one.source,
      );
      for (const [from, resources] of bySource) this.#accept(from, type, resources, []);
    }
    this.#hasClusters = true;
    this.#hasListeners = true;
    source.onInForce(kept);
    this.update();
    this.#hold(source.accepted());
  }

  /** Tells each server what of it is in force. */
  #hold(accepted: Iterable<KeptResource>): void {
    const byStream = new Map<string, Map<string, Map<string, string>>>();
    for (const { source, type, name, version } of accepted) {
      // A bundle that was kept has no version: its server says it again.
      if (type === typeUrl.secret) continue;
      const byType = getOrAdd(
        byStream,
        streamKey(source, type),
        () => new Map<string, Map<string, string>>(),
      );
      getOrAdd(byType, type, () => new Map<string, string>()).set(name, version);
    }
    for (const [key, held] of byStream) this.#streams.get(key)?.hold(held);
  }

  #handle(source: string, type: string, updated: readonly IncomingResource[], removed: readonly string[]) {
    if (type !== typeUrl.secret && !source.startsWith("path:") && !this.#isServerHeard) {
      this.#isServerHeard = true;
      if (this.#isKeptInForce) this.#options.kept?.onInForce(undefined);
    }
    const error = this.#accept(source, type, updated, removed);
    this.#options.stats?.onUpdate(type, updated[0]?.version, error === undefined);
    if (type === typeUrl.cluster) this.#hasClusters = true;
    if (type === typeUrl.listener) this.#hasListeners = true;
    this.update();
    return error;
  }

  #accept(
    source: string,
    type: string,
    updated: readonly IncomingResource[],
    removed: readonly string[],
  ): string | undefined {
    const { live, onAccepted } = this.#options;
    const update = { source, type, updated, removed };
    // First, so that the copies hear of what refers to it in the same order as this one.
    onAccepted?.(update);
    return applyUpdate(live, update);
  }

  /** Asks every source for what is wanted of it; one that was asked before and has nothing wanted now, for nothing. */
  #wantAll(type: string, keys: ReadonlySet<string>): void {
    const bySource = new Map<string, Set<string>>();
    for (const [key] of this.#subscribed) {
      const { source, name } = parseSourcedKey(key);
      if (name === type) bySource.set(source, new Set());
    }
    for (const key of keys) {
      const { source, name } = parseSourcedKey(key);
      if (source === "static") continue;
      getOrAdd(bySource, source, () => new Set<string>()).add(name);
    }
    for (const [source, names] of bySource) this.#want(source, type, names);
  }

  /** Of route configurations that are there: each is asked for in the name of its own. */
  #wantHosts(): void {
    const { live, wantedHosts } = this.#options;
    const keys = new Set<string>();
    for (const [source, names] of wantedHosts?.().wanted ?? []) {
      for (const name of names) {
        if (live.virtualHosts.isWanted(source, name)) keys.add(sourcedKey({ source, name }));
      }
    }
    this.#wantAll(typeUrl.virtualHost, keys);
  }

  /** By name beside everything, where that comes from the same source. */
  #wantClusters(): void {
    const { cds, wantedClusters } = this.#options;
    const { wanted = [], revision = 0 } = wantedClusters?.() ?? {};
    for (const [source, names] of wanted) {
      if (this.#namedClusters.get(source) === revision || !this.#isReachable(source)) continue;
      const isBesideAll = cds?.source === source;
      if (isBesideAll && !this.#asksForClusters) continue;
      this.#namedClusters.set(source, revision);
      const stream = this.#stream(source, typeUrl.cluster);
      if (isBesideAll) stream.subscribeAlso(typeUrl.cluster, names);
      else stream.subscribe(typeUrl.cluster, names);
    }
  }

  /** Subscribes by name; a type that was never asked for stays unasked while nothing is wanted. */
  #want(source: string, type: string, names: ReadonlySet<string>): void {
    const key = sourcedKey({ source, name: type });
    const text = JSON.stringify([...names].sort());
    const former = this.#subscribed.get(key);
    if (former === text || (former === undefined && names.size === 0)) return;
    if (!this.#streams.has(streamKey(source, type)) && !this.#isReachable(source)) return;
    this.#subscribed.set(key, text);
    this.#stream(source, type).subscribe(type, names);
  }

  #stream(source: string, type: string): ResourceStream {
    return getOrAdd(this.#streams, streamKey(source, type), () =>
      this.#options.open(source, type, (of, updated, removed) => this.#handle(source, of, updated, removed)),
    );
  }

  #giveUpLater(type: string, afterMs: number, giveUp: () => boolean): void {
    if (afterMs === 0) return;
    const timer = this.#options.clock.setTimer(() => {
      this.#timers.delete(timer);
      if (giveUp()) this.#options.stats?.onFetchTimeout(type);
      this.update();
    }, afterMs);
    this.#timers.add(timer);
  }
}

/** Puts an update in force; the text names what was refused. */
export function applyUpdate(
  live: LiveConfig,
  { source, type, updated, removed }: AcceptedUpdate,
): string | undefined {
  switch (type) {
    case typeUrl.cluster:
      return live.updateClusters(updated, removed);
    case typeUrl.listener:
      return live.updateListeners(updated, removed);
    case typeUrl.route:
      return live.updateRoutes(source, updated, removed);
    case typeUrl.virtualHost:
      return live.updateVirtualHosts(source, updated, removed);
    case typeUrl.endpoint:
      return live.updateEndpoints(source, updated, removed);
    case typeUrl.secret:
      return live.updateSecrets(source, updated);
    default:
      return `${type} was not asked for`;
  }
}

/** ADS has one stream for all types, any other source one for each. */
function streamKey(source: string, type: string): string {
  return source === "ads" ? source : sourcedKey({ source, name: type });
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
