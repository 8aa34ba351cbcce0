import type { Clock } from "@weft/base/clock";
import { ApiRefusal } from "../api/refusal.ts";
import type { StartRollout } from "../api/rollout-protocol.ts";
import { resourceKey } from "../config/resource.ts";
import type { WorkloadRegistry } from "../registry/workload-registry.ts";
import { resolvePlan } from "../rollout/resolve-plan.ts";
import { type Rollout, type RolloutPlan, stagesOf } from "../rollout/rollout.ts";
import { editorOf } from "../rollout/texts-of.ts";
import { begun, said, type Texts } from "../rollout/transitions.ts";
import { membersOf } from "../rollout/version-members.ts";
import type { ResourceStore } from "../store/resource-store.ts";
import { nameOf } from "./config-changes.ts";
import type { ConfigEntry, ConfigSet } from "./config-set.ts";
import type { MeshPipeline } from "./mesh-pipeline.ts";

export interface RolloutGround {
  readonly clock: Clock;
  readonly resources: Pick<ResourceStore, "versionOf">;
  readonly config: ConfigSet;
  readonly pipeline: MeshPipeline;
  readonly registry: WorkloadRegistry;
}

/**
 * A rollout before its first step, from what is configured and registered now.
 *
 * @throws ApiRefusal where it cannot be begun, with what to do
 */
export function beginRollout(
  request: StartRollout,
  { startedBy, id }: { readonly startedBy: string; readonly id: number },
  texts: Texts,
  { clock, resources, config, pipeline, registry }: RolloutGround,
): Rollout {
  const { mesh } = pipeline.current;
  const plan = { ...request, ...resolvePlan(request, { mesh, resources: config.resources }), startedBy };
  const { text } = writableEntry(plan, config).text;
  if (editorOf(text, plan, mesh.options).shifted === 0) {
    throw new ApiRefusal(409, {
      error: `${nameOf(plan.route)} sends no HTTP calls to ${plan.stable.version}`,
      hint: "a rollout shifts the weights of its http rules",
    });
  }
  const { service } = request;
  const { version } = plan.canary;
  if (membersOf(plan, mesh, registry.workloads, pipeline.served).canary.healthy === 0) {
    throw new ApiRefusal(409, {
      error: `no instance of ${service} ${version} is healthy`,
      hint: `start it first: 'weft run --name ${service} --version ${version} …'`,
    });
  }
  const atMs = clock.now();
  const first: Rollout = {
    id,
    plan,
    before: text,
    text,
    stage: 0,
    weight: 0,
    activity: { t: "measure" },
    isPaused: false,
    failedChecks: 0,
    check: 0,
    hasSaidWaiting: false,
    startedAtMs: atMs,
    changedAtMs: atMs,
    revision: resources.versionOf(plan.route)?.revision ?? 0,
    events: [],
    eventNumber: 0,
  };
  return begun(said(first, atMs, "started", planText(plan)), texts);
}

function writableEntry({ route }: RolloutPlan, config: ConfigSet): ConfigEntry {
  const entry = config.entries.get(resourceKey(route));
  if (!entry) throw new ApiRefusal(404, { error: `there is no ${nameOf(route)}` });
  if (entry.source === "store") return entry;
  throw new ApiRefusal(409, {
    error: `${nameOf(route)} comes from the control plane's own directory, which only people change`,
    hint: `move it out of ${entry.text.file}, and apply it with 'weft apply'`,
  });
}

function planText(plan: RolloutPlan): string {
  const { stable, canary, criteria, intervalMs, route } = plan;
  const stages = stagesOf(plan).map(({ kind, percent }) => (kind === "weight" ? `${percent} %` : kind));
  const wanted = [
    criteria.successPercent === undefined ? "" : `success ≥ ${criteria.successPercent} %`,
    criteria.p99Ms === undefined ? "" : `p99 ≤ ${criteria.p99Ms} ms`,
    `at least ${criteria.minRequests} calls`,
  ].filter((part) => part !== "");
  const versions = `${stable.version} → ${canary.version}`;
  const each = `${intervalMs / 1000} s each`;
  return `${versions} in ${nameOf(route)}: ${stages.join(", ")}, ${each}; ${wanted.join(", ")}`;
}
