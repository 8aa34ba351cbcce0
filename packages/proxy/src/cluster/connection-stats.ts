import type { Counter, Histogram } from "@weft/base/metric-registry";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";

/**
 * What is only worth its memory once a cluster has had a connection: Envoy
 * makes these series when it makes the cluster, unless its
 * `enable_deferred_creation_stats` is on.
 */
export class ConnectionStats {
  readonly #connectMs: Histogram;
  readonly #lengthMs: Histogram;
  readonly #requests: Histogram;
  readonly #protocolErrors: Counter;
  readonly #destroyed: Counter;
  readonly #destroyedActive: Counter;
  readonly #destroyedLocalActive: Counter;
  readonly #destroyedRemoteActive: Counter;

  /** `scope` is a template that ends in a dot, and names the cluster. */
  constructor(stats: EnvoyStats, scope: string, statName: string) {
    const counter = (name: string) => stats.counter(`${scope}upstream_cx_destroy${name}`, statName);
    this.#connectMs = stats.histogram(`${scope}upstream_cx_connect_ms`, statName);
    this.#lengthMs = stats.histogram(`${scope}upstream_cx_length_ms`, statName);
    this.#requests = stats.histogram(`${scope}upstream_rq_per_cx`, statName);
    this.#protocolErrors = stats.counter(`${scope}upstream_cx_protocol_error`, statName);
    this.#destroyed = counter("");
    this.#destroyedActive = counter("_with_active_rq");
    this.#destroyedLocalActive = counter("_local_with_active_rq");
    this.#destroyedRemoteActive = counter("_remote_with_active_rq");
  }

  /** A connection has been made, TLS and all. */
  onMade(tookMs: number): void {
    this.#connectMs.observe(tookMs);
  }

  /** What came over it was no HTTP. */
  onProtocolError(): void {
    this.#protocolErrors.value += 1;
  }

  /** One that carried something else than requests is gone. */
  onOver(lengthMs: number): void {
    this.#lengthMs.observe(lengthMs);
  }

  /** It is gone, after so many requests; `isActive`: one of them was not over. */
  onGone(lengthMs: number, requests: number, isLocal: boolean, isActive: boolean): void {
    this.#lengthMs.observe(lengthMs);
    this.#requests.observe(requests);
    this.#destroyed.value += 1;
    if (!isActive) return;
    this.#destroyedActive.value += 1;
    if (isLocal) this.#destroyedLocalActive.value += 1;
    else this.#destroyedRemoteActive.value += 1;
  }
}
