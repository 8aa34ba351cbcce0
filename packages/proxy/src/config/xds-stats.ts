import { createHash } from "node:crypto";
import { typeUrl } from "@weft/xds/type-url";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";

/** What became of the responses of configuration sources. */
export interface XdsStats {
  /** A response was accepted whole, or refused in whole or in part. */
  onUpdate(type: string, version: string | undefined, isAccepted: boolean): void;
  /** A first response did not come in time. */
  onFetchTimeout(type: string): void;
  /** A stream to a server was opened (true) or is lost. */
  onConnected(isConnected: boolean): void;
}

const scopes: ReadonlyMap<string, string> = new Map([
  [typeUrl.cluster, "cluster_manager.cds"],
  [typeUrl.listener, "listener_manager.lds"],
]);

/**
 * Envoy's `cluster_manager.cds.*`, `listener_manager.lds.*` and
 * `control_plane.connected_state`, on `stats`.
 */
export function createXdsStats(stats: EnvoyStats): XdsStats {
  const connected = stats.gauge("control_plane.connected_state");
  const byType = new Map(
    Array.from(scopes, ([type, scope]) => [
      type,
      {
        attempt: stats.counter(`${scope}.update_attempt`),
        success: stats.counter(`${scope}.update_success`),
        rejected: stats.counter(`${scope}.update_rejected`),
        fetchTimeout: stats.counter(`${scope}.init_fetch_timeout`),
        version: stats.gauge(`${scope}.version`),
      },
    ]),
  );
  let open = 0;
  return {
    onUpdate(type, version, isAccepted) {
      const own = byType.get(type);
      if (!own) return;
      own.attempt.add();
      (isAccepted ? own.success : own.rejected).add();
      if (isAccepted && version !== undefined) own.version.set(numberOf(version));
    },
    onFetchTimeout: (type) => byType.get(type)?.fetchTimeout.add(),
    onConnected(isConnected) {
      open += isConnected ? 1 : -1;
      connected.set(open > 0 ? 1 : 0);
    },
  };
}

/** A gauge can only tell versions apart: the first 48 bits of the text's hash, exact as a number. */
function numberOf(version: string): number {
  return createHash("sha1").update(version).digest().readUIntBE(0, 6);
}
