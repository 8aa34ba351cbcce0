import type { Clock, Timer } from "@weft/base/clock";
import type { CanaryStatusRecord } from "../api/canary-protocol.ts";
import { ApiRefusal } from "../api/refusal.ts";
import { type ResourceOf, resourceKey } from "../config/resource.ts";
import { hostnameOf } from "../model/host.ts";
import type { WorkloadRegistry } from "../registry/workload-registry.ts";
import { begunCanary, type CanaryState, changed, nextCanary } from "../rollout/canary.ts";
import { canaryRequest, serviceOf } from "../rollout/canary-request.ts";
import { isOver, phaseOf, type Rollout } from "../rollout/rollout.ts";
import type { CanaryStore } from "../store/canary-store.ts";
import { nameOf } from "./config-changes.ts";
import type { ConfigSet } from "./config-set.ts";
import type { EventLog } from "./event-log.ts";
import type { MeshPipeline } from "./mesh-pipeline.ts";
import type { Rollouts } from "./rollouts.ts";

type Canary = ResourceOf<"Canary">;

export interface CanariesOptions {
  readonly clock: Clock;
  readonly store: CanaryStore;
  readonly config: ConfigSet;
  readonly pipeline: MeshPipeline;
  readonly registry: WorkloadRegistry;
  readonly rollouts: Rollouts;
  readonly events: EventLog;
  readonly onError: (error: unknown) => void;
}

const lookMs = 2_000;

/**
 * Begins the rollouts that Canaries ask for, when a new version of their service
 * is seen among the workloads. What is known is stored, so that a restart takes
 * nothing for new that was there before.
 */
export class Canaries {
  readonly #parts: CanariesOptions;
  readonly #states: Map<string, CanaryState>;
  #timer: Timer | undefined;

  constructor(options: CanariesOptions) {
    this.#parts = options;
    this.#states = new Map(
      options.store.list().map(({ key, body }) => [key, JSON.parse(body) as CanaryState]),
    );
  }

  start(): void {
    this.#timer = this.#parts.clock.setTimer(() => {
      this.#look();
      this.start();
    }, lookMs);
  }

  close(): void {
    this.#timer?.cancel();
  }

  /** In Flagger's form; undefined until it has been looked at. */
  status(key: string): CanaryStatusRecord | undefined {
    const state = this.#states.get(key);
    const canary = this.#parts.config.entries.get(key)?.resource;
    if (!state || canary?.kind !== "Canary") return undefined;
    const rollout = this.#ownRollout(canary);
    const running = rollout && !isOver(rollout) ? rollout : undefined;
    const phase = running ? phaseOf(running) : state.phase;
    const time = new Date(Math.max(state.changedAtMs, running?.changedAtMs ?? 0)).toISOString();
    const isGood = phase === "Succeeded" || phase === "Initialized";
    return {
      phase,
      canaryWeight: running?.weight ?? 0,
      failedChecks: running?.failedChecks ?? 0,
      iterations: running?.stage ?? 0,
      lastAppliedSpec: state.version ?? "",
      lastPromotedSpec: state.promoted ?? "",
      lastTransitionTime: time,
      conditions: [
        {
          type: "Promoted",
          status: isGood ? "True" : phase === "Failed" ? "False" : "Unknown",
          reason: phase,
          message: running?.events.at(-1)?.message ?? state.message,
        },
      ],
    };
  }

  #look(): void {
    const { config, onError } = this.#parts;
    const canaries = config.resources.filter((resource) => resource.kind === "Canary");
    for (const canary of canaries) {
      try {
        this.#follow(canary);
      } catch (error) {
        onError(error);
      }
    }
    const keys = new Set(canaries.map(resourceKey));
    for (const key of [...this.#states.keys()]) if (!keys.has(key)) this.#forget(key);
  }

  #follow(canary: Canary): void {
    const { clock, rollouts, registry, pipeline } = this.#parts;
    const key = resourceKey(canary);
    const { namespace } = canary;
    const service = serviceOf(canary);
    const hostname = hostnameOf(service, namespace, pipeline.current.mesh.options);
    const instances = [...registry.workloads.values()].filter(({ id }) =>
      pipeline.served.get(id)?.includes(hostname),
    );
    const versionsOf = (list: typeof instances) =>
      [...new Set(list.flatMap(({ labels }) => labels.version ?? []))].sort();
    const rollout = this.#ownRollout(canary);
    const isSuspended = canary.spec.suspend ?? false;
    if (rollout && !isOver(rollout)) this.#hold(canary, rollout, isSuspended);
    const before = this.#states.get(key);
    const sight = {
      present: versionsOf(instances.filter(({ isHealthy }) => isHealthy)),
      registered: versionsOf(instances),
      rollout,
      isSuspended,
    };
    // Nothing is known of a service before any of it is there.
    if (!before && sight.present.length === 0) return;
    const { state, start } = nextCanary(before, sight, clock.now());
    if (start === undefined) {
      this.#put(key, canary, before, state);
      return;
    }
    try {
      const own = instances.filter(({ labels }) => labels.version === start);
      const workloads = [...new Set(own.map(({ workloadName }) => workloadName))].sort();
      const { resources } = this.#parts.config;
      const request = canaryRequest(canary, { service, to: start, workloads, resources });
      rollouts.start(request, { name: nameOf(canary), proof: "socket" });
      this.#put(key, canary, before, begunCanary(state, start, clock.now()));
      if (canary.spec.skipAnalysis) rollouts.command({ namespace, service }, "promote-full");
    } catch (error) {
      if (!(error instanceof ApiRefusal)) throw error;
      this.#put(
        key,
        canary,
        before,
        changed(state, "Waiting", `${start} is new, but ${error.message}`, clock.now()),
      );
    }
  }

  /** Follows `suspend`; what an operator has paused stays so. */
  #hold(canary: Canary, { isPaused, events }: Rollout, isSuspended: boolean): void {
    const of = { namespace: canary.namespace, service: serviceOf(canary) };
    const before = this.#states.get(resourceKey(canary));
    if (isSuspended === (before?.isHeld ?? false) || events.length === 0) return;
    if (isPaused !== isSuspended) this.#parts.rollouts.command(of, isSuspended ? "pause" : "resume");
    if (before) this.#put(resourceKey(canary), canary, before, { ...before, isHeld: isSuspended });
  }

  #ownRollout(canary: Canary): Rollout | undefined {
    const of = { namespace: canary.namespace, service: serviceOf(canary) };
    const rollout = this.#parts.rollouts.find(of);
    return rollout?.plan.startedBy === nameOf(canary) ? rollout : undefined;
  }

  #put(key: string, canary: Canary, before: CanaryState | undefined, state: CanaryState): void {
    if (state === before) return;
    this.#states.set(key, state);
    this.#parts.store.put(key, JSON.stringify(state));
    if (state.message !== before?.message) {
      this.#parts.events.add(
        "canary",
        `${canary.namespace}/${serviceOf(canary)}: ${state.phase}: ${state.message}`,
      );
    }
  }

  /** The Canary is gone: what it began is undone. */
  #forget(key: string): void {
    const { rollouts, store } = this.#parts;
    const [kind = "", namespace = "", name = ""] = key.split("/");
    const own = rollouts.running().find(({ plan }) => plan.startedBy === nameOf({ kind, namespace, name }));
    if (own) rollouts.command(own.plan, "abort");
    this.#states.delete(key);
    store.remove(key);
  }
}
