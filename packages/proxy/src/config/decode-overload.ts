import type {
  OverloadAction as OverloadActionMessage,
  OverloadManager,
  ResourceMonitor as ResourceMonitorMessage,
  Trigger as TriggerMessage,
} from "@weft/xds/gen/envoy/config/overload/v3/overload_pb";
import type { DownstreamConnectionsConfig } from "@weft/xds/gen/envoy/extensions/resource_monitors/downstream_connections/v3/downstream_connections_pb";
import type { FixedHeapConfig } from "@weft/xds/gen/envoy/extensions/resource_monitors/fixed_heap/v3/fixed_heap_pb";
import {
  type ActionName,
  defaultOverloadPlan,
  type OverloadAction,
  type OverloadPlan,
  type ResourceMonitor,
  scaledTrigger,
  type Trigger,
  thresholdTrigger,
} from "../overload/overload-plan.ts";
import { timeoutMs } from "./decode-values.ts";
import { unpackAny } from "./extension-registry.ts";
import { at, type Issues } from "./issues.ts";

export interface DecodedOverload {
  readonly plan: OverloadPlan;
  /** Connections over all listeners; undefined: the default. */
  readonly maxConnections: number | undefined;
}

/** Envoy's default `refresh_interval`. */
const defaultRefreshMs = 1_000;
const prefix = "envoy.overload_actions.";
const actionNames: readonly ActionName[] = [
  "stop_accepting_requests",
  "disable_http_keepalive",
  "stop_accepting_connections",
  "reject_incoming_connections",
  "shrink_heap",
];

/** Decodes `overload_manager`; what is not given is the default. @see envoy.config.overload.v3.OverloadManager */
export function decodeOverload(message: OverloadManager | undefined, issues: Issues): DecodedOverload {
  if (!message) return { plan: defaultOverloadPlan, maxConnections: undefined };
  const path = "overload_manager";
  const monitors: ResourceMonitor[] = [];
  let maxConnections: number | undefined;
  message.resourceMonitors.forEach((monitor, i) => {
    const place = `${at(path, "resource_monitors")}[${i}]`;
    const decoded = decodeMonitor(monitor, place, issues);
    if (typeof decoded === "number") maxConnections = decoded;
    else if (decoded) monitors.push(decoded);
  });
  reportRepeated(message.resourceMonitors, at(path, "resource_monitors"), issues);
  reportRepeated(message.actions, at(path, "actions"), issues);
  const known = new Set(monitors.map(({ name }) => name));
  const actions = message.actions.flatMap((action, i) => {
    return decodeAction(action, known, `${at(path, "actions")}[${i}]`, issues) ?? [];
  });
  const refreshMs = timeoutMs(
    message.refreshInterval,
    defaultRefreshMs,
    at(path, "refresh_interval"),
    issues,
  );
  return { plan: { refreshMs: refreshMs || defaultRefreshMs, monitors, actions }, maxConnections };
}

/** A monitor, or the number of connections that one of those limits. */
function decodeMonitor(
  { name, configType }: ResourceMonitorMessage,
  path: string,
  issues: Issues,
): ResourceMonitor | number | undefined {
  if (configType.case !== "typedConfig") {
    issues.add(path, "needs `typed_config`", "name the monitor's type with @type");
    return undefined;
  }
  const place = at(path, "typed_config");
  const message = unpackAny(configType.value);
  switch (message?.$typeName) {
    case undefined:
      return undefined;
    case "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig": {
      const { maxHeapSizeBytes } = message as FixedHeapConfig;
      if (maxHeapSizeBytes <= 0n) issues.add(at(place, "max_heap_size_bytes"), "must be above 0");
      return { name, maxHeapBytes: Number(maxHeapSizeBytes) };
    }
    case "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig": {
      const { maxActiveDownstreamConnections: max } = message as DownstreamConnectionsConfig;
      if (max <= 0n) issues.add(at(place, "max_active_downstream_connections"), "must be above 0");
      return Number(max);
    }
    default:
      issues.add(place, `${message?.$typeName} is not a resource monitor`);
      return undefined;
  }
}

function decodeAction(
  action: OverloadActionMessage,
  monitors: ReadonlySet<string>,
  path: string,
  issues: Issues,
): OverloadAction | undefined {
  const name = actionNames.find((known) => `${prefix}${known}` === action.name);
  if (!name) {
    const known = actionNames.map((one) => prefix + one).join(", ");
    issues.add(at(path, "name"), `'${action.name}' is not implemented by this proxy`, `one of ${known}`);
  }
  if (action.triggers.length === 0) issues.add(at(path, "triggers"), "is empty", "say when");
  const triggers = action.triggers.flatMap((trigger, i) => {
    return decodeTrigger(trigger, monitors, `${at(path, "triggers")}[${i}]`, issues) ?? [];
  });
  return name && { name, triggers };
}

function decodeTrigger(
  { name, triggerOneof }: TriggerMessage,
  monitors: ReadonlySet<string>,
  path: string,
  issues: Issues,
): Trigger | undefined {
  if (!monitors.has(name)) {
    issues.add(at(path, "name"), `unknown resource '${name}'`, "name one of the resource monitors");
  }
  switch (triggerOneof.case) {
    case "threshold":
      return thresholdTrigger(name, share(triggerOneof.value.value, at(path, "threshold.value"), issues));
    case "scaled": {
      const place = at(path, "scaled");
      const from = share(triggerOneof.value.scalingThreshold, at(place, "scaling_threshold"), issues);
      const to = share(triggerOneof.value.saturationThreshold, at(place, "saturation_threshold"), issues);
      if (from >= to) issues.add(place, "`scaling_threshold` must be below `saturation_threshold`");
      return scaledTrigger(name, from, to);
    }
    default:
      issues.add(path, "needs `threshold` or `scaled`");
      return undefined;
  }
}

function share(value: number, path: string, issues: Issues): number {
  if (!(value >= 0 && value <= 1)) issues.add(path, `${value} is out of range`, "0 to 1");
  return value;
}

function reportRepeated(items: readonly { readonly name: string }[], path: string, issues: Issues): void {
  const names = new Set<string>();
  items.forEach(({ name }, i) => {
    if (names.has(name)) issues.add(`${path}[${i}].name`, `'${name}' is there twice`, "names are unique");
    names.add(name);
  });
}
