import { isIP } from "node:net";
import type { Bootstrap } from "@weft/xds/gen/envoy/config/bootstrap/v3/bootstrap_pb";
import type { Address } from "@weft/xds/gen/envoy/config/core/v3/address_pb";
import {
  type DogStatsdSink,
  DogStatsdSinkSchema,
  type StatsdSink,
  StatsdSinkSchema,
} from "@weft/xds/gen/envoy/config/metrics/v3/stats_pb";
import type { StatsSinkPlan } from "../telemetry/stats-flusher.ts";
import { decodeAddress, durationMs } from "./decode-values.ts";
import { unpackAny } from "./extension-registry.ts";
import { at, type Issues } from "./issues.ts";

const usualIntervalMs = 5_000;

/** Who is sent statistics, and how often. Nobody: undefined. */
export interface StatsSinks {
  readonly sinks: readonly StatsSinkPlan[];
  readonly intervalMs: number;
}

/** @see envoy.config.bootstrap.v3.Bootstrap.stats_sinks */
export function decodeStatsSinks(
  { statsSinks, statsFlushInterval, statsFlush }: Bootstrap,
  issues: Issues,
): StatsSinks | undefined {
  const intervalMs = durationMs(statsFlushInterval, usualIntervalMs);
  if (intervalMs < 100 || intervalMs > 300_000) {
    issues.add("stats_flush_interval", "is too short or too long", "0.1s to 300s");
  }
  if (statsSinks.length === 0) return undefined;
  if (statsFlush.case === "statsFlushOnAdmin") {
    issues.add("stats_flush_on_admin", "is not implemented: sinks are told by interval", "remove it");
  }
  const sinks = statsSinks.flatMap(({ configType }, i): StatsSinkPlan[] => {
    const place = `stats_sinks[${i}]`;
    if (configType.case !== "typedConfig") {
      issues.add(place, "needs `typed_config`", "name the sink's type with @type");
      return [];
    }
    const message = unpackAny(configType.value);
    const path = at(place, "typed_config");
    switch (message?.$typeName) {
      case StatsdSinkSchema.typeName: {
        const { prefix, statsdSpecifier } = message as StatsdSink;
        const to = statsdSpecifier.case === "address" ? statsdSpecifier.value : undefined;
        return decodeSink("statsd", prefix, to, 0, path, issues);
      }
      case DogStatsdSinkSchema.typeName: {
        const { prefix, dogStatsdSpecifier, maxBytesPerDatagram = 0n } = message as DogStatsdSink;
        const to = dogStatsdSpecifier.case === "address" ? dogStatsdSpecifier.value : undefined;
        return decodeSink("dogstatsd", prefix, to, Number(maxBytesPerDatagram), path, issues);
      }
      default:
        if (message) issues.add(path, `${message.$typeName} is no sink of statistics`);
        return [];
    }
  });
  return { sinks, intervalMs };
}

function decodeSink(
  kind: "statsd" | "dogstatsd",
  prefix: string,
  to: Address | undefined,
  maxDatagramBytes: number,
  path: string,
  issues: Issues,
): StatsSinkPlan[] {
  const place = at(path, "address");
  const address = decodeAddress(to, place, issues, true);
  if (!address) return [];
  if (address.kind !== "ip" || isIP(address.host) === 0) {
    issues.add(place, "is no IP address", "statistics are sent by UDP: give an address and a port");
    return [];
  }
  const { host, port } = address;
  return [{ format: { kind, prefix: prefix || "envoy" }, host, port, maxDatagramBytes }];
}
