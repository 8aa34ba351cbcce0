import { createHash } from "node:crypto";
import type { Clock } from "@weft/base/clock";
import { messageOf } from "@weft/base/errors";
import type { ClusterPlan, EndpointAssignment } from "../cluster/cluster-plan.ts";
import type { ListenerPlan } from "../listener/listener-plan.ts";
import { type Factories, type FilterServices, noNeeds, type RouteHolder, waitMs } from "./decode-context.ts";
import type { HeldEndpoints, HeldRoutes, IncomingResource } from "./held-resources.ts";
import { type Decoded, ResourceDecoder } from "./resource-decoder.ts";
import { sourcedKey } from "./sourced-name.ts";
import type { TlsContexts } from "./tls-contexts.ts";
import { VirtualHostSets } from "./virtual-host-sets.ts";
import { type Held, Warming } from "./warming.ts";

/** The running proxy, as configuration sees it. */
export interface DataPlane {
  setCluster(plan: ClusterPlan): void;
  removeCluster(name: string): void;
  setEndpoints(cluster: string, assignment: EndpointAssignment): void;
  /** All listeners in force; what is missing from the list drains. */
  setListeners(plans: readonly ListenerPlan[]): void;
}

export interface LiveConfigOptions {
  readonly clock: Clock;
  readonly dataPlane: DataPlane;
  readonly factories: Factories;
  readonly services: FilterServices;
  readonly tls: TlsContexts;
  readonly runtime: ReadonlyMap<string, unknown>;
  readonly staticClusters: ReadonlySet<string>;
  readonly hasAds: boolean;
  readonly isAdsDelta: boolean;
  /** Something was put in force, or something else is needed now. */
  onChange(): void;
  /** A source has said that it does not have these clusters. */
  onClustersMissing?(names: readonly string[]): void;
  /** Nor these virtual hosts. */
  onHostsMissing?(names: readonly string[]): void;
}

/** What has to be subscribed to for everything accepted so far. */
export interface WantedResources {
  /** Of endpoints, by `sourcedKey`, as the others. */
  readonly services: ReadonlySet<string>;
  readonly routes: ReadonlySet<string>;
  readonly secrets: ReadonlySet<string>;
}

/**
 * The configuration in force: what the bootstrap brought and what xDS adds,
 * replaces and removes.
 *
 * Every update is compiled completely before anything changes. The good
 * resources of an update take effect, a bad one leaves its last good version in
 * force, and the returned text names every mistake for the NACK. A cluster is
 * used once its endpoints and secrets are in, a listener once its routes and
 * secrets are; until then what was there before serves on.
 */
export class LiveConfig {
  readonly clusters: Warming<ClusterPlan>;
  readonly listeners: Warming<ListenerPlan>;
  /** By `sourcedKey`, as the endpoints. */
  readonly routes = new Map<string, HeldRoutes>();
  readonly endpoints = new Map<string, HeldEndpoints>();
  /** What of route configurations came by itself. */
  readonly virtualHosts: VirtualHostSets;
  readonly #holders = new Map<string, RouteHolder>();
  readonly #options: LiveConfigOptions;
  readonly #decoder: ResourceDecoder;
  /** Clusters in force by the key of their endpoints, and the other way round. */
  readonly #followers = new Map<string, Set<string>>();
  readonly #followed = new Map<string, string>();
  #listenersChanged = false;
  #isUpdating = false;

  constructor(options: LiveConfigOptions) {
    this.#options = options;
    const { clock, dataPlane, tls } = options;
    this.#decoder = new ResourceDecoder({
      factories: options.factories,
      services: options.services,
      tls,
      runtime: options.runtime,
      staticClusters: options.staticClusters,
      hasAds: options.hasAds,
      isAdsDelta: options.isAdsDelta,
      routeHolder: (key) => this.#holder(key),
    });
    this.virtualHosts = new VirtualHostSets(this.#decoder);
    this.clusters = new Warming({
      clock,
      timeoutMs: ({ needs }) => waitMs(needs),
      isReady: ({ plan, needs }) =>
        (plan.discovery.kind !== "eds" || this.endpoints.has(endpointsKey(plan.discovery))) &&
        [...needs.secrets].every((key) => tls.has(key)),
      activate: ({ plan }) => {
        dataPlane.setCluster(plan);
        this.#follow(plan);
        if (plan.discovery.kind === "eds") {
          // None at all after the wait is over: the cluster then has no endpoints, and says so.
          const known = this.endpoints.get(endpointsKey(plan.discovery));
          dataPlane.setEndpoints(plan.name, known?.assignment ?? { localities: [] });
        }
        this.#changed();
      },
      deactivate: (name) => {
        this.#unfollow(name);
        dataPlane.removeCluster(name);
      },
    });
    this.listeners = new Warming({
      clock,
      timeoutMs: ({ needs }) => waitMs(needs),
      isReady: ({ needs }) =>
        [...needs.routes].every((key) => this.#holder(key).current !== undefined) &&
        [...needs.secrets].every((key) => tls.has(key)),
      activate: () => {
        this.#listenersChanged = true;
        this.#applyListeners();
        this.#changed();
      },
      deactivate: () => {
        this.#listenersChanged = true;
      },
    });
  }

  get decoder(): ResourceDecoder {
    return this.#decoder;
  }

  addStatic(clusters: readonly Decoded<ClusterPlan>[], listeners: readonly Decoded<ListenerPlan>[]): void {
    for (const decoded of clusters) this.clusters.set(decoded.plan.name, this.#hold(decoded, "", true));
    this.#batch(() => {
      for (const decoded of listeners) {
        this.listeners.set(decoded.plan.name, this.#hold(decoded, "", true));
      }
    });
  }

  updateClusters(updated: readonly IncomingResource[], removed: readonly string[]): string | undefined {
    const errors = this.#each("cluster", updated, (resource) => {
      const decoded = this.#decoder.cluster(resource.body);
      this.#refuseStatic(this.clusters, decoded.plan.name);
      if (isSame(this.clusters, decoded.plan)) return;
      this.clusters.set(decoded.plan.name, this.#hold(decoded, resource.version, false));
    });
    for (const name of removed) if (!this.clusters.latest(name)?.isStatic) this.clusters.remove(name);
    if (removed.length > 0) this.#options.onClustersMissing?.(removed);
    return this.#finish(errors);
  }

  updateListeners(updated: readonly IncomingResource[], removed: readonly string[]): string | undefined {
    let errors: string[] = [];
    this.#batch(() => {
      errors = this.#each("listener", updated, (resource) => {
        const decoded = this.#decoder.listener(resource.body);
        this.#refuseStatic(this.listeners, decoded.plan.name);
        if (isSame(this.listeners, decoded.plan)) return;
        this.listeners.set(decoded.plan.name, this.#hold(decoded, resource.version, false));
      });
      for (const name of removed) if (!this.listeners.latest(name)?.isStatic) this.listeners.remove(name);
    });
    return this.#finish(errors);
  }

  updateRoutes(
    source: string,
    updated: readonly IncomingResource[],
    removed: readonly string[],
  ): string | undefined {
    const errors = this.#each("route configuration", updated, (resource) => {
      const known = this.routes.get(sourcedKey({ source, name: resource.name }));
      const fingerprint = createHash("sha256").update(resource.body).digest("base64");
      if (known?.fingerprint === fingerprint) {
        // Sent again, not changed: what its filters have counted stays counted.
        this.routes.set(sourcedKey({ source, name: resource.name }), {
          ...known,
          version: resource.version,
        });
        return;
      }
      const { plan, written } = this.#decoder.routes(resource.body);
      const key = sourcedKey({ source, name: plan.name });
      const holder = this.#holder(key);
      this.virtualHosts.adopt(key, plan, written);
      holder.current = plan;
      this.routes.set(key, { holder, written, fingerprint, ...this.#stamp(resource.version) });
    });
    // A removed table stays in force as long as a listener refers to it.
    const wanted = this.wanted().routes;
    for (const name of removed) {
      const key = sourcedKey({ source, name });
      if (!wanted.has(key)) this.#forgetRoutes(key);
    }
    return this.#finish(errors);
  }

  updateVirtualHosts(
    source: string,
    updated: readonly IncomingResource[],
    removed: readonly string[],
  ): string | undefined {
    const errors = this.virtualHosts.update(source, updated, removed, this.#options.clock.now());
    if (removed.length > 0) this.#options.onHostsMissing?.(removed);
    this.#options.onChange();
    return errors.length > 0 ? errors.join("\n") : undefined;
  }

  updateEndpoints(
    source: string,
    updated: readonly IncomingResource[],
    removed: readonly string[],
  ): string | undefined {
    const errors = this.#each("endpoints", updated, (resource) => {
      const { plan, written } = this.#decoder.endpoints(resource.body);
      const key = sourcedKey({ source, name: resource.name });
      this.#setEndpoints(key, { assignment: plan, written, ...this.#stamp(resource.version) });
    });
    for (const name of removed) this.endpoints.delete(sourcedKey({ source, name }));
    return this.#finish(errors);
  }

  /** `source` is where they come from, as `ChosenSource.source`, as for routes and endpoints. */
  updateSecrets(source: string, updated: readonly IncomingResource[]): string | undefined {
    const errors = this.#each("secret", updated, (resource) => {
      const { plan } = this.#decoder.secret(resource.body);
      if (plan) this.#options.tls.setSecret(sourcedKey({ source, name: resource.name }), plan);
    });
    return this.#finish(errors);
  }

  /** Whether a secret of this key, as `sourcedKey` writes it, is in force. */
  hasSecret(key: string): boolean {
    return this.#options.tls.has(key);
  }

  /** Names whatever active and waiting resources refer to; anything else may be unsubscribed. */
  wanted(): WantedResources {
    const services = new Set<string>();
    const needs = noNeeds();
    for (const { plan, needs: own } of this.clusters.all()) {
      if (plan.discovery.kind === "eds") services.add(endpointsKey(plan.discovery));
      for (const key of own.secrets) needs.secrets.add(key);
    }
    for (const { needs: own } of this.listeners.all()) {
      for (const key of own.routes) needs.routes.add(key);
      for (const key of own.secrets) needs.secrets.add(key);
    }
    return { services, routes: needs.routes, secrets: needs.secrets };
  }

  close(): void {
    this.clusters.close();
    this.listeners.close();
  }

  #each(
    kind: string,
    resources: readonly IncomingResource[],
    accept: (resource: IncomingResource) => void,
  ): string[] {
    const errors: string[] = [];
    this.#isUpdating = true;
    for (const resource of resources) {
      try {
        accept(resource);
      } catch (error) {
        errors.push(`${kind} '${resource.name}': ${messageOf(error)}`);
      }
    }
    return errors;
  }

  #finish(errors: readonly string[]): string | undefined {
    this.clusters.check();
    this.listeners.check();
    this.#applyListeners();
    this.#forgetUnwanted();
    this.#isUpdating = false;
    this.#options.onChange();
    return errors.length > 0 ? errors.join("\n") : undefined;
  }

  /** Told once for all of an update: what is wanted is found by looking at everything. */
  #changed(): void {
    if (!this.#isUpdating) this.#options.onChange();
  }

  #isBatching = false;

  /** Several listeners change at once: the data plane hears of it once. */
  #batch(change: () => void): void {
    this.#isBatching = true;
    try {
      change();
    } finally {
      this.#isBatching = false;
    }
    this.#applyListeners();
  }

  #applyListeners(): void {
    if (this.#isBatching || !this.#listenersChanged) return;
    this.#listenersChanged = false;
    this.#options.dataPlane.setListeners([...this.listeners.active.values()].map(({ plan }) => plan));
  }

  #setEndpoints(key: string, held: HeldEndpoints): void {
    this.endpoints.set(key, held);
    for (const name of this.#followers.get(key) ?? []) {
      this.#options.dataPlane.setEndpoints(name, held.assignment);
    }
  }

  /** The endpoints that a cluster in force has are told to it from here on. */
  #follow({ name, discovery }: ClusterPlan): void {
    this.#unfollow(name);
    if (discovery.kind !== "eds") return;
    const key = endpointsKey(discovery);
    this.#followed.set(name, key);
    const names = this.#followers.get(key) ?? new Set<string>();
    this.#followers.set(key, names.add(name));
  }

  #unfollow(name: string): void {
    const key = this.#followed.get(name);
    if (key === undefined) return;
    this.#followed.delete(name);
    const names = this.#followers.get(key)!;
    names.delete(name);
    if (names.size === 0) this.#followers.delete(key);
  }

  #forgetUnwanted(): void {
    const wanted = this.wanted();
    for (const key of this.endpoints.keys()) if (!wanted.services.has(key)) this.endpoints.delete(key);
    for (const key of this.#holders.keys()) if (!wanted.routes.has(key)) this.#forgetRoutes(key);
  }

  #forgetRoutes(key: string): void {
    this.routes.delete(key);
    this.virtualHosts.forget(key);
    this.#holders.delete(key);
  }

  #holder(key: string): RouteHolder {
    let holder = this.#holders.get(key);
    if (!holder) {
      holder = { current: undefined };
      this.#holders.set(key, holder);
    }
    return holder;
  }

  #refuseStatic(held: Warming<ClusterPlan> | Warming<ListenerPlan>, name: string): void {
    if (held.latest(name)?.isStatic) {
      throw new Error("the bootstrap defines one of that name, which cannot be replaced");
    }
  }

  #hold<Plan>(decoded: Decoded<Plan>, version: string, isStatic: boolean): Held<Plan> {
    return { ...decoded, isStatic, ...this.#stamp(version) };
  }

  #stamp(version: string): { version: string; updatedMs: number } {
    return { version, updatedMs: this.#options.clock.now() };
  }
}

function endpointsKey({
  source = "ads",
  serviceName,
}: Extract<ClusterPlan["discovery"], { readonly kind: "eds" }>): string {
  return sourcedKey({ source, name: serviceName });
}

function isSame<Plan extends { readonly name: string; readonly fingerprint: string }>(
  held: Warming<Plan>,
  plan: Plan,
): boolean {
  return held.latest(plan.name)?.plan.fingerprint === plan.fingerprint;
}
