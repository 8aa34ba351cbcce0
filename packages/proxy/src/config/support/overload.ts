import type { MessageSupport } from "./message-support.ts";

/** What this proxy does with the messages of `overload.v3` and the resource monitors. */
export function overloadSupport(): Record<string, MessageSupport> {
  const p = "envoy.config.overload.v3.";
  const m = "envoy.extensions.resource_monitors.";
  return {
    [`${p}OverloadManager`]: { implemented: "refresh_interval resource_monitors actions" },
    [`${p}ResourceMonitor`]: { implemented: "name typed_config" },
    [`${p}OverloadAction`]: { implemented: "name triggers" },
    [`${p}Trigger`]: { implemented: "name threshold scaled" },
    [`${p}ThresholdTrigger`]: { implemented: "value" },
    [`${p}ScaledTrigger`]: { implemented: "scaling_threshold saturation_threshold" },
    [`${m}fixed_heap.v3.FixedHeapConfig`]: { implemented: "max_heap_size_bytes" },
    [`${m}downstream_connections.v3.DownstreamConnectionsConfig`]: {
      implemented: "max_active_downstream_connections",
    },
  };
}
