import type { Clock, Timer } from "@weft/base/clock";
import { typeUrl } from "@weft/xds/type-url";
import { acceptedVersions } from "./kept/accepted-resources.ts";
import type { KeptConfig } from "./kept/kept-format.ts";
import type { IncomingResource, LiveConfig } from "./live-config.ts";
import { secretKey } from "./tls-contexts.ts";

/** Each type before those that refer to it; listeners ask for their routes, which nothing would hold without them. */
const restoreOrder = [
  typeUrl.secret,
  typeUrl.cluster,
  typeUrl.endpoint,
  typeUrl.listener,
  typeUrl.route,
] as const;

/** An open line to one management server: ADS, or a server of secrets only. */
export interface ResourceStream {
  /** Replaces what is asked for of one type; undefined asks for everything (wildcard). */
  subscribe(type: string, names: ReadonlySet<string> | undefined): void;
  /** Counts versions, by type and name, as received, so that the server says what differs. */
  hold(held: ReadonlyMap<string, ReadonlyMap<string, string>>): void;
  close(): void;
}

/** Takes a server's resources; the text it returns refuses them. */
export type ResourceHandler = (
  type: string,
  updated: readonly IncomingResource[],
  removed: readonly string[],
) => string | undefined;

export interface XdsSessionOptions {
  readonly clock: Clock;
  readonly live: LiveConfig;
  readonly hasLds: boolean;
  readonly hasCds: boolean;
  readonly initialFetchTimeoutMs: number;
  /** Whether clusters the data plane itself discovers (DNS) have their first endpoints. */
  isDataPlaneWarm(): boolean;
  /** Whether the way to the ADS server is known: the cluster it is reached by has what it needs. */
  isAdsReachable(): boolean;
  /** Opens the stream behind a source: `ads`, `grpc:<cluster>` or `path:<file>`. */
  open(source: string, handle: ResourceHandler): ResourceStream;
  /** What an earlier run kept, to start from when the ADS server has said nothing for `afterMs`. */
  readonly kept?: { readonly afterMs: number; read(): KeptConfig | undefined };
  /** Configuration that was kept is in force (true), or the server has been heard (false). */
  onKeptInForce?(kept: KeptConfig | undefined): void;
  /** Everything the first configuration brought is in force, or is no longer waited for. */
  onInitialized(): void;
}

/**
 * Asks the management server for what this proxy needs and hands over what
 * comes, in an order that leaves no gap: clusters first, listeners once the
 * first clusters are warm, then whatever those refer to, by name. What nothing
 * refers to any more is unsubscribed.
 */
export class XdsSession {
  readonly #options: XdsSessionOptions;
  readonly #streams = new Map<string, ResourceStream>();
  readonly #subscribed = new Map<string, string>();
  readonly #timers = new Set<Timer>();
  #hasClusters: boolean;
  #hasListeners: boolean;
  #asksForClusters = false;
  #asksForListeners = false;
  #isInitialized = false;
  #isAdsHeard = false;
  #isKeptInForce = false;
  #isClosed = false;

  constructor(options: XdsSessionOptions) {
    this.#options = options;
    this.#hasClusters = !options.hasCds;
    this.#hasListeners = !options.hasLds;
    const { kept, clock } = options;
    if (kept) this.#timers.add(clock.setTimer(() => this.#startFromKept(kept.read), kept.afterMs));
  }

  /** Brings subscriptions in line with what is needed now. Call at the start and after every change of the configuration. */
  update(): void {
    if (this.#isClosed) return;
    const { live, hasCds, hasLds } = this.#options;
    const wanted = live.wanted();
    this.#wantSecrets(wanted.secrets);
    if (this.#options.isAdsReachable()) {
      if (hasCds && !this.#asksForClusters) {
        this.#asksForClusters = true;
        this.#stream("ads").subscribe(typeUrl.cluster, undefined);
        this.#giveUpLater(() => {
          this.#hasClusters = true;
        });
      }
      this.#want("ads", typeUrl.endpoint, wanted.services);
      this.#want("ads", typeUrl.route, wanted.routes);
    }
    if (hasLds && !this.#asksForListeners && this.#hasClusters && this.#areClustersWarm) {
      this.#asksForListeners = true;
      this.#stream("ads").subscribe(typeUrl.listener, undefined);
      this.#giveUpLater(() => {
        this.#hasListeners = true;
      });
    }
    if (this.#isInitialized || !this.#hasClusters || !this.#hasListeners) return;
    if (this.#areClustersWarm && live.listeners.isWarm) {
      this.#isInitialized = true;
      this.#options.onInitialized();
    }
  }

  /** Takes up what an earlier run left, as if it came from the servers it came from. */
  #startFromKept(read: () => KeptConfig | undefined): void {
    if (this.#isClosed || this.#isAdsHeard) return;
    const kept = read();
    if (!kept) return;
    const { live } = this.#options;
    this.#isKeptInForce = true;
    for (const type of restoreOrder) {
      const bySource = Map.groupBy(
        kept.resources.filter((resource) => resource.type === type && !live.hasSecret(secretKey(resource))),
        ({ source }) => source,
      );
      for (const [source, resources] of bySource) this.#accept(source, type, resources, [], live);
    }
    this.#hasClusters = true;
    this.#hasListeners = true;
    this.#options.onKeptInForce?.(kept);
    this.update();
    this.#streams.get("ads")?.hold(acceptedVersions(live));
  }

  get #areClustersWarm(): boolean {
    return this.#options.live.clusters.isWarm && this.#options.isDataPlaneWarm();
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers) timer.cancel();
    for (const stream of this.#streams.values()) stream.close();
    this.#streams.clear();
  }

  #handle(source: string, type: string, updated: readonly IncomingResource[], removed: readonly string[]) {
    const { live } = this.#options;
    if (source === "ads" && !this.#isAdsHeard) {
      this.#isAdsHeard = true;
      if (this.#isKeptInForce) this.#options.onKeptInForce?.(undefined);
    }
    const error = this.#accept(source, type, updated, removed, live);
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
    live: LiveConfig,
  ): string | undefined {
    switch (type) {
      case typeUrl.cluster:
        return live.updateClusters(updated, removed);
      case typeUrl.listener:
        return live.updateListeners(updated, removed);
      case typeUrl.route:
        return live.updateRoutes(updated, removed);
      case typeUrl.endpoint:
        return live.updateEndpoints(updated, removed);
      case typeUrl.secret:
        return live.updateSecrets(source, updated);
      default:
        return `${type} was not asked for`;
    }
  }

  #wantSecrets(keys: ReadonlySet<string>): void {
    const bySource = new Map<string, Set<string>>();
    for (const source of this.#streams.keys()) bySource.set(source, new Set());
    for (const key of keys) {
      const space = key.indexOf(" ");
      const source = key.slice(0, space);
      if (source === "static" || (source === "ads" && !this.#options.isAdsReachable())) continue;
      const names = bySource.get(source) ?? new Set();
      names.add(key.slice(space + 1));
      bySource.set(source, names);
    }
    for (const [source, names] of bySource) this.#want(source, typeUrl.secret, names);
  }

  /** Subscribes by name; a type that was never asked for stays unasked while nothing is wanted. */
  #want(source: string, type: string, names: ReadonlySet<string>): void {
    const key = `${source} ${type}`;
    const text = JSON.stringify([...names].sort());
    const former = this.#subscribed.get(key);
    if (former === text || (former === undefined && names.size === 0)) return;
    this.#subscribed.set(key, text);
    this.#stream(source).subscribe(type, names);
  }

  #stream(source: string): ResourceStream {
    let stream = this.#streams.get(source);
    if (!stream) {
      stream = this.#options.open(source, (type, updated, removed) =>
        this.#handle(source, type, updated, removed),
      );
      this.#streams.set(source, stream);
    }
    return stream;
  }

  #giveUpLater(giveUp: () => void): void {
    const { clock, initialFetchTimeoutMs } = this.#options;
    if (initialFetchTimeoutMs === 0) return;
    const timer = clock.setTimer(() => {
      this.#timers.delete(timer);
      giveUp();
      this.update();
    }, initialFetchTimeoutMs);
    this.#timers.add(timer);
  }
}
