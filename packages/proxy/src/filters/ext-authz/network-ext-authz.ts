import type { Counter, Gauge } from "@weft/base/metric-registry";
import type { DownstreamConnection } from "../../layer/downstream-connection.ts";
import { type DynamicMetadata, type MetadataValue, noteOnConnection } from "../../layer/dynamic-metadata.ts";
import type { NetworkFilter } from "../../layer/network-filter.ts";
import { ResponseFlag } from "../../layer/response-flag.ts";
import type { EnvoyStats } from "../../telemetry/envoy-stats.ts";
import type { Callout } from "../callout.ts";

/** What a service says about a connection; "error" is no answer, or one that makes no sense. */
export type ConnectionVerdict =
  | {
      readonly kind: "ok" | "denied";
      readonly metadata: ReadonlyMap<string, MetadataValue> | undefined;
    }
  | { readonly kind: "error" };

/** Asks a service; `onVerdict` is called exactly once unless cancelled, possibly before this returns. */
export type AuthorizeConnection = (
  connection: DownstreamConnection,
  onVerdict: (verdict: ConnectionVerdict) => void,
) => Callout;

/** @see envoy.extensions.filters.network.ext_authz.v3.ExtAuthz */
export interface NetworkExtAuthzPlan {
  readonly authorize: AuthorizeConnection;
  /** Lets connections through while the service does not answer. */
  readonly allowsOnFailure: boolean;
  /** Whether it is asked about a connection of which this is known; absent: about each. */
  readonly isEnabledFor: ((metadata: DynamicMetadata | undefined) => boolean) | undefined;
}

/** Envoy's `ext_authz.<stat_prefix>.*`. */
export interface NetworkExtAuthzStats {
  readonly total: Counter;
  readonly ok: Counter;
  readonly denied: Counter;
  readonly error: Counter;
  readonly disabled: Counter;
  readonly failureModeAllowed: Counter;
  readonly closed: Counter;
  readonly active: Gauge;
}

export function networkExtAuthzStats(stats: EnvoyStats, statPrefix: string): NetworkExtAuthzStats {
  const counter = (name: string) => stats.counter(`ext_authz.{envoy_ext_authz_prefix}.${name}`, statPrefix);
  return {
    total: counter("total"),
    ok: counter("ok"),
    denied: counter("denied"),
    error: counter("error"),
    disabled: counter("disabled"),
    failureModeAllowed: counter("failure_mode_allowed"),
    closed: counter("cx_closed"),
    active: stats.gauge("ext_authz.{envoy_ext_authz_prefix}.active", statPrefix),
  };
}

export const networkExtAuthzName = "envoy.filters.network.ext_authz";

/**
 * Asks a service whether a connection may be made, before a byte of it is read
 * and before anything is connected to behind it. Envoy asks with the client's first
 * byte, and what a server says before that passes it.
 */
export function createNetworkExtAuthzFilter(
  { authorize, allowsOnFailure, isEnabledFor }: NetworkExtAuthzPlan,
  stats: NetworkExtAuthzStats,
  name: string,
): NetworkFilter {
  const refuse = (connection: DownstreamConnection, details: string): false => {
    stats.closed.add();
    connection.terminationDetails = details;
    connection.terminationFlags = ResponseFlag.UnauthorizedExternalService;
    connection.localCloseReason = "ext_authz_close";
    return false;
  };
  return {
    name,
    onConnection: () => true,
    ask(connection, decide) {
      if (isEnabledFor && !isEnabledFor(connection.metadata)) {
        stats.disabled.add();
        return undefined;
      }
      stats.total.add();
      stats.active.add(1);
      const call = authorize(connection, (verdict) => {
        stats.active.add(-1);
        stats[verdict.kind].add();
        if (verdict.kind === "error") {
          if (allowsOnFailure) stats.failureModeAllowed.add();
          decide(allowsOnFailure || refuse(connection, "ext_authz_error"));
          return;
        }
        if (verdict.metadata) {
          noteOnConnection(connection, new Map([[networkExtAuthzName, verdict.metadata]]));
        }
        decide(verdict.kind === "ok" || refuse(connection, "ext_authz_denied"));
      });
      return {
        cancel() {
          stats.active.add(-1);
          call.cancel();
        },
      };
    },
  };
}
