import type { ObservedChange } from "@weft/xds/observed-request";
import type { LiveConfig } from "../config/live-config.ts";
import { parseSourcedKey } from "../config/sourced-name.ts";
import type { RequestFacts } from "./request-facts.ts";

/**
 * What of the configuration that decided about a request has been changed since
 * it began: its listener, its table of routes, its cluster. One that is gone was
 * changed at a time nobody knows, 0.
 */
export function configChanges(
  live: LiveConfig,
  { listener, routeTable, cluster, startedMs }: RequestFacts,
): ObservedChange[] {
  const tables = [...live.routes]
    .filter(([key]) => parseSourcedKey(key).name === routeTable)
    .map(([key, { updatedMs }]) => Math.max(updatedMs, live.virtualHosts.updatedMs(key)));
  const parts = [
    { type: "listener", name: listener, atMs: live.listeners.active.get(listener)?.updatedMs },
    // One that is not given by itself is written into its listener.
    { type: "route", name: routeTable, atMs: Math.max(0, ...tables) },
    { type: "cluster", name: cluster, atMs: live.clusters.active.get(cluster)?.updatedMs },
  ];
  return parts
    .filter(
      ({ name, type, atMs }) => name !== "" && (atMs === undefined ? type !== "route" : atMs > startedMs),
    )
    .map(({ type, name, atMs = 0 }) => ({ type, name, atMs }));
}
