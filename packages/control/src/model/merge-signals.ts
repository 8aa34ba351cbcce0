import { createHash } from "node:crypto";
import { standardMetrics } from "../config/standard-metrics.ts";
import { bareExpression } from "../config/telemetry-expression.ts";
import type {
  AccessLoggingSpec,
  MetricsOverrideSpec,
  ModeMatchSpec,
  TelemetrySpec,
  TraceTagSpec,
} from "../config/telemetry-specs.ts";
import { parseDurationMs } from "../config/values.ts";
import { istioAccessLogFormat } from "./access-log-formats.ts";
import type { MeshDefaults } from "./mesh-options.ts";
import {
  type AccessLogRule,
  isAccessLog,
  isTracer,
  type MetricRule,
  type MetricsRule,
  type SideSignals,
  type Signals,
  type TelemetryProvider,
  type TraceTag,
  type TracingRule,
} from "./signals.ts";

type Mode = "CLIENT" | "SERVER";

/**
 * What Telemetries say together, the later over the earlier, and the mesh where
 * none says anything. By Istio's rules: providers replace those of the level
 * above, overrides of metrics add up, tags of traces replace.
 */
export function mergeSignals(levels: readonly TelemetrySpec[], defaults: MeshDefaults): Signals {
  const outbound = mergeSide(levels, "CLIENT", defaults);
  const inbound = mergeSide(levels, "SERVER", defaults);
  const key = createHash("sha1")
    .update(JSON.stringify([outbound, inbound]))
    .digest("base64url");
  return { key, outbound, inbound };
}

function mergeSide(levels: readonly TelemetrySpec[], mode: Mode, defaults: MeshDefaults): SideSignals {
  return {
    accessLogs: mergeLogs(levels, mode, defaults),
    metrics: mergeMetrics(levels, mode, defaults),
    tracing: mergeTracing(levels, mode, defaults),
  };
}

function isFor(match: ModeMatchSpec | undefined, mode: Mode): boolean {
  const wanted = match?.mode ?? "CLIENT_AND_SERVER";
  return wanted === "CLIENT_AND_SERVER" || wanted === mode;
}

/** By its name in any case. Istio's two are there without being written: Prometheus, and the mesh's own log. */
export function providerNamed(
  name: string,
  { telemetryProviders, accessLog }: MeshDefaults,
): TelemetryProvider | undefined {
  const known = name.toLowerCase();
  if (Object.hasOwn(telemetryProviders, known)) return telemetryProviders[known];
  if (known === "prometheus") return { kind: "prometheus" };
  if (known !== meshLog) return undefined;
  const { path = "/dev/stdout", format = istioAccessLogFormat } = accessLog ?? {};
  return { kind: "file", path, format, omitsEmpty: false };
}

/** The provider that is the mesh's own access log. */
const meshLog = "envoy";

const namesOf = (providers: readonly { readonly name: string }[] = []) =>
  providers.map(({ name }) => name.toLowerCase());

function mergeLogs(levels: readonly TelemetrySpec[], mode: Mode, defaults: MeshDefaults): AccessLogRule[] {
  const logs = levels.flatMap(({ accessLogging }) => (accessLogging?.length ? [accessLogging] : []));
  const found = new Map<string, string>();
  const usual = defaults.defaultProviders.accessLogging ?? (defaults.accessLog ? [meshLog] : []);
  if (logs.length === 0) for (const name of usual) found.set(name, "");
  else {
    const { inScope, filters } = scopeOf(logs, mode, usual);
    let inherited = usual;
    for (const rule of logs.flat()) {
      const named = namesOf(rule.providers);
      inherited = named.length > 0 ? named : inherited;
      if (!isFor(rule.match, mode)) continue;
      for (const name of inherited.filter((one) => inScope.has(one))) {
        if (rule.disabled) found.delete(name);
        else found.set(name, rule.filter?.expression ?? filters.get(name) ?? "");
      }
    }
  }
  return [...found]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, filter]) => {
      const provider = providerNamed(name, defaults);
      return provider && isAccessLog(provider) ? [{ provider, filter }] : [];
    });
}

/** The providers of the last level that names any, and the filter that each was last named with. */
function scopeOf(
  levels: readonly (readonly AccessLoggingSpec[])[],
  mode: Mode,
  usual: readonly string[],
): { readonly inScope: ReadonlySet<string>; readonly filters: ReadonlyMap<string, string> } {
  const filters = new Map<string, string>();
  let inScope: ReadonlySet<string> = new Set(usual);
  for (const level of levels) {
    const named = new Set<string>();
    for (const { match, providers, filter } of level) {
      if (!isFor(match, mode)) continue;
      for (const name of namesOf(providers)) {
        named.add(name);
        filters.set(name, filter?.expression ?? "");
      }
    }
    if (named.size > 0) inScope = named;
  }
  return { inScope, filters };
}

interface Change {
  isDropped: boolean;
  readonly tags: Map<string, string | undefined>;
}

/** All metrics go to the one page that Prometheus reads: what is said to several such providers adds up. */
function mergeMetrics(
  levels: readonly TelemetrySpec[],
  mode: Mode,
  defaults: MeshDefaults,
): MetricsRule | undefined {
  const all = levels.flatMap(({ metrics = [] }) => metrics);
  const usual = defaults.defaultProviders.metrics;
  const last = all.findLast(({ providers }) => providers?.length);
  const inScope = new Set(last ? namesOf(last.providers) : usual);
  const isCounted = [...inScope].some((one) => providerNamed(one, defaults)?.kind === "prometheus");
  if (!isCounted) return undefined;
  let inherited = usual;
  let reportingMs: number | undefined;
  const changes = new Map<string, Change>();
  for (const { providers, overrides = [], reportingInterval } of all) {
    inherited = providers?.length ? namesOf(providers) : inherited;
    if (!inherited.some((name) => inScope.has(name))) continue;
    if (reportingInterval !== undefined) reportingMs = parseDurationMs(reportingInterval);
    for (const override of overrides) {
      if (!isFor(override.match, mode)) continue;
      for (const metric of metricsOf(override)) apply(override, metric, changes);
    }
  }
  if (allMetrics.every((metric) => changes.get(metric)?.isDropped)) return undefined;
  return { reportingMs, overrides: [...changes].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(ruleOf) };
}

const allMetrics = Object.values(standardMetrics);

function metricsOf({ match }: MetricsOverrideSpec): readonly string[] {
  if (match?.customMetric !== undefined) return [match.customMetric];
  const { metric = "ALL_METRICS" } = match ?? {};
  return metric === "ALL_METRICS" ? allMetrics : [standardMetrics[metric]!];
}

function apply(override: MetricsOverrideSpec, metric: string, changes: Map<string, Change>): void {
  const change = changes.get(metric) ?? { isDropped: false, tags: new Map() };
  changes.set(metric, change);
  change.isDropped = override.disabled ?? change.isDropped;
  for (const [label, { operation, value }] of Object.entries(override.tagOverrides ?? {})) {
    change.tags.set(label, operation === "REMOVE" ? undefined : bareExpression(value ?? ""));
  }
}

function ruleOf([metric, { isDropped, tags }]: readonly [string, Change]): MetricRule[] {
  if (!isDropped && tags.size === 0) return [];
  const sorted = [...tags].sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    {
      metric,
      isDropped,
      removedTags: sorted.flatMap(([name, expression]) => (expression === undefined ? [name] : [])),
      tags: sorted.flatMap(([name, expression]) => (expression === undefined ? [] : [{ name, expression }])),
    },
  ];
}

function mergeTracing(
  levels: readonly TelemetrySpec[],
  mode: Mode,
  defaults: MeshDefaults,
): TracingRule | undefined {
  let provider = providerNamed(defaults.defaultProviders.tracing[0] ?? "", defaults);
  let isOff = false;
  let { samplingPercent, tags } = defaults.tracing;
  let samplesByRequestId = true;
  let hasIstioTags = true;
  for (const rule of levels.flatMap((level) => level.tracing ?? [])) {
    if (!isFor(rule.match, mode)) continue;
    const [name] = namesOf(rule.providers);
    if (name !== undefined) provider = providerNamed(name, defaults);
    isOff = rule.disableSpanReporting ?? isOff;
    samplingPercent = rule.randomSamplingPercentage ?? samplingPercent;
    if (rule.customTags) tags = traceTags(rule.customTags);
    samplesByRequestId = rule.useRequestIdForTraceSampling ?? samplesByRequestId;
    hasIstioTags = rule.enableIstioTags ?? hasIstioTags;
  }
  if (isOff || !provider || !isTracer(provider)) return undefined;
  const maxTagLength = provider.maxTagLength || defaults.tracing.maxTagLength;
  return { provider: { ...provider, maxTagLength }, samplingPercent, tags, samplesByRequestId, hasIstioTags };
}

/** In order of their names. */
export function traceTags(tags: Readonly<Record<string, TraceTagSpec>>): TraceTag[] {
  return Object.entries(tags)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { literal, environment, header, formatter }]): TraceTag => {
      if (literal) return { name, kind: "literal", value: literal.value };
      if (formatter) return { name, kind: "formatter", value: formatter.value };
      const kind = environment ? "environment" : "header";
      const { name: variable, defaultValue = "" } = (environment ?? header)!;
      return { name, kind, variable, otherwise: defaultValue };
    });
}
