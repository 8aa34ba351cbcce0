import type { Place } from "../net/connect-in-turn.ts";
import type { UpstreamTlsPlan } from "../net/tls-plan.ts";
import type { AppendAction } from "../route/append-action.ts";

/**
 * How a cluster's endpoints are asked whether they are well. Times in
 * milliseconds; jitter is added at random up to its value.
 *
 * @see envoy.config.core.v3.HealthCheck
 */
export interface HealthCheckPlan {
  readonly probe: ProbePlan;
  readonly timeoutMs: number;
  readonly intervalMs: number;
  readonly initialJitterMs: number;
  readonly intervalJitterMs: number;
  readonly intervalJitterPercent: number;
  readonly unhealthyThreshold: number;
  readonly healthyThreshold: number;
  /** In force while the cluster has never had traffic… */
  readonly noTrafficIntervalMs: number;
  /** …and this one for endpoints that are well. */
  readonly noTrafficHealthyIntervalMs: number;
  readonly unhealthyIntervalMs: number;
  /** While failures have begun and are not enough yet. */
  readonly unhealthyEdgeIntervalMs: number;
  readonly healthyEdgeIntervalMs: number;
  /** Otherwise each check makes a connection of its own. */
  readonly reusesConnection: boolean;
  /** Where to connect, unless the endpoint says so itself. */
  readonly altPort: number | undefined;
  /** Chooses the transport in place of the endpoint's own metadata. */
  readonly transportMatch: readonly (readonly [key: string, value: string])[] | undefined;
  /** ALPN of the checks' own connections. */
  readonly alpnProtocols: readonly string[] | undefined;
}

export type ProbePlan = HttpProbePlan | GrpcProbePlan | TcpProbePlan;

/** @see envoy.config.core.v3.HealthCheck.HttpHealthCheck */
export interface HttpProbePlan {
  readonly kind: "http";
  readonly protocol: "http1" | "http2";
  readonly method: string;
  /** "" is the cluster's name. */
  readonly host: string;
  readonly path: string;
  readonly body: Buffer | undefined;
  /** Bytes that must follow each other in the response's body, with anything between them. */
  readonly receive: readonly Buffer[];
  /** How much of a body is looked at; 0 is all. */
  readonly bufferLimitBytes: number;
  readonly headers: readonly HeaderAddition[];
  readonly removedHeaders: readonly string[];
  readonly isExpected: (status: number) => boolean;
  readonly isRetriable: (status: number) => boolean;
  /** What `x-envoy-upstream-healthchecked-cluster` must be. */
  readonly matchesService: ((name: string) => boolean) | undefined;
}

export interface HeaderAddition {
  /** In lower case. */
  readonly name: string;
  readonly value: string;
  readonly action: AppendAction;
}

/** @see envoy.config.core.v3.HealthCheck.GrpcHealthCheck */
export interface GrpcProbePlan {
  readonly kind: "grpc";
  readonly serviceName: string;
  readonly authority: string;
  readonly headers: readonly HeaderAddition[];
}

/** @see envoy.config.core.v3.HealthCheck.TcpHealthCheck */
export interface TcpProbePlan {
  readonly kind: "tcp";
  readonly send: Buffer | undefined;
  readonly receive: readonly Buffer[];
}

/** Where and how one endpoint is asked. */
export interface ProbeTarget extends Place {
  readonly tls: UpstreamTlsPlan | undefined;
  /** A PROXY header that speaks for nobody else, where the endpoint wants one. */
  readonly preface?: Buffer | undefined;
  /** For `Host` and `:authority`. */
  readonly hostname: string;
  readonly bindAddresses: readonly string[] | undefined;
}
