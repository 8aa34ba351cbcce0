import { ApiRefusal } from "../api/refusal.ts";
import type { RolloutAlert, RolloutQuery, RolloutWebhook, StartRollout } from "../api/rollout-protocol.ts";
import type { CanaryAnalysisSpec, CanaryMetricSpec, ReferenceSpec } from "../config/canary-spec.ts";
import { renderQuery, templateProblem } from "../config/query-template.ts";
import type { ConfigResource, ResourceOf } from "../config/resource.ts";
import { parseDurationMs } from "../config/values.ts";

type Canary = ResourceOf<"Canary">;

/** As few calls as say anything. */
const minRequests = 10;
/** Flagger's own defaults. */
const defaultIntervalMs = 60_000;
const defaultDeadlineSeconds = 600;
const defaultMetricInterval = "1m";
const defaultTimeoutMs = 10_000;

/** What the rollout of a Canary is besides the Canary. */
export interface CanaryGround {
  readonly service: string;
  /** The new version, and the workloads that are it. */
  readonly to: string;
  readonly workloads: readonly string[];
  readonly resources: readonly ConfigResource[];
}

/** The service a Canary is about. */
export function serviceOf({ spec }: Pick<Canary, "spec">): string {
  return spec.service?.name ?? spec.targetRef.name;
}

/**
 * The rollout that a Canary asks for, to a version.
 *
 * @throws ApiRefusal where it names a template or a provider that there is not
 */
export function canaryRequest(canary: Canary, ground: CanaryGround): StartRollout {
  const { spec, namespace, name } = canary;
  const { service, to } = ground;
  const { analysis, progressDeadlineSeconds = defaultDeadlineSeconds } = spec;
  const { interval, threshold = 0, iterations = 0, mirror, mirrorWeight, match } = analysis;
  const bound = (metric: string, side: "min" | "max"): number | undefined => {
    const found = analysis.metrics?.find(({ name }) => name === metric);
    return found?.thresholdRange?.[side] ?? found?.threshold;
  };
  const successPercent = bound("request-success-rate", "min");
  const p99Ms = bound("request-duration", "max");
  return {
    namespace,
    service,
    to,
    steps: stepsOf(analysis),
    intervalMs: interval === undefined ? defaultIntervalMs : parseDurationMs(interval)!,
    criteria: {
      ...(successPercent !== undefined && { successPercent }),
      ...(p99Ms !== undefined && { p99Ms }),
      minRequests,
    },
    threshold: Math.max(1, threshold),
    deadlineMs: progressDeadlineSeconds * 1_000,
    ...(mirror && { mirrorPercent: mirrorWeight || 100 }),
    ...(match && match.length > 0 && { match }),
    iterations: Math.max(1, iterations),
    ackTimeoutMs: 30_000,
    name,
    webhooks: (analysis.webhooks ?? []).map(webhookOf),
    queries: (analysis.metrics ?? []).flatMap((metric) => queryOf(metric, canary, ground)),
    alerts: (analysis.alerts ?? []).map(({ name: alert, severity, providerRef }): RolloutAlert => {
      const { type, address, channel, username } = found("AlertProvider", providerRef, canary, ground).spec;
      return {
        name: alert,
        type,
        url: address!,
        severity: severity || "info",
        ...(channel !== undefined && { channel }),
        ...(username !== undefined && { username }),
      };
    }),
  };
}

function webhookOf(hook: NonNullable<CanaryAnalysisSpec["webhooks"]>[number]): RolloutWebhook {
  const { name, type, url, timeout, retries = 0, metadata, muteAlert } = hook;
  return {
    name,
    // As in Flagger.
    type: type || "rollout",
    url,
    timeoutMs: timeout === undefined ? defaultTimeoutMs : parseDurationMs(timeout)!,
    retries,
    ...(metadata && { metadata }),
    ...(muteAlert && { isMuted: true }),
  };
}

/** Of the mesh's own metrics none: the rollout judges by them itself. */
function queryOf(metric: CanaryMetricSpec, canary: Canary, ground: CanaryGround): RolloutQuery[] {
  const { name, query, templateRef, templateVariables: variables = {}, thresholdRange, threshold } = metric;
  const template = templateRef && found("MetricTemplate", templateRef, canary, ground).spec;
  const text = template?.query ?? query;
  if (text === undefined) return [];
  const problem = templateProblem(text, variables);
  if (problem !== undefined) throw new ApiRefusal(409, { error: `metric ${name}: ${problem}` });
  const url = template ? template.provider.address : canary.spec.metricsServer;
  const { min, max = min === undefined ? threshold : undefined } = thresholdRange ?? {};
  const model = {
    name: canary.name,
    namespace: canary.namespace,
    target: ground.workloads.join("|"),
    service: ground.service,
    interval: metric.interval ?? defaultMetricInterval,
    variables,
  };
  const bounds = { ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
  return [{ name, query: renderQuery(text, model), ...(url !== undefined && { url }), ...bounds }];
}

function found<K extends "MetricTemplate" | "AlertProvider">(
  kind: K,
  { name, namespace }: ReferenceSpec,
  canary: Canary,
  { resources }: CanaryGround,
): ResourceOf<K> {
  const of = namespace ?? canary.namespace;
  const resource = resources.find((one) => one.kind === kind && one.name === name && one.namespace === of);
  if (resource) return resource as ConfigResource as ResourceOf<K>;
  throw new ApiRefusal(409, { error: `there is no ${kind} ${of}/${name}`, hint: "apply it first" });
}

/** `stepWeight` again and again, up to `maxWeight`. */
function stepsOf({
  stepWeights = [],
  stepWeight = 0,
  maxWeight = 100,
}: CanaryAnalysisSpec): readonly number[] {
  if (stepWeights.length > 0) return stepWeights;
  if (stepWeight === 0) return [];
  const count = Math.max(1, Math.ceil(maxWeight / stepWeight));
  return Array.from({ length: count }, (_, i) => Math.min(maxWeight || 100, stepWeight * (i + 1)));
}
