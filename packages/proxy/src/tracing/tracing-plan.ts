import type { Counter } from "@weft/base/metric-registry";
import type { Exchange } from "../layer/exchange.ts";
import type { HeaderValue } from "../route/header-edits.ts";
import type { Propagation } from "./propagation.ts";
import type { SamplingShares, TraceReason } from "./sampling.ts";

/** Names and values in turn. */
export type Attributes = (string | number)[];

/** One finished operation of a trace; times are milliseconds since 1970. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  /** "" begins the trace. */
  readonly parentId: string;
  readonly isShared: boolean;
  readonly traceState: string;
  readonly name: string;
  readonly kind: "server" | "client";
  readonly startMs: number;
  readonly endMs: number;
  readonly isError: boolean;
  readonly attributes: Attributes;
}

/** Takes spans off the request path; never blocks and never throws. */
export interface SpanSink {
  report(span: Span): void;
}

/** A tag from the configuration; without a value it is left out. @see envoy.type.tracing.v3.CustomTag */
export interface CustomTag {
  readonly name: string;
  read(exchange: Exchange): string | undefined;
}

/** Names of spans; undefined leaves the usual ones. */
export interface SpanNames {
  readonly operation: HeaderValue | undefined;
  readonly upstreamOperation: HeaderValue | undefined;
}

/** @see envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.Tracing */
export interface TracingPlan extends SpanNames {
  readonly sink: SpanSink;
  readonly propagation: Propagation;
  /** Spans without a configured name are called after the host, not after their direction. */
  readonly isNamedAfterHost: boolean;
  readonly shares: SamplingShares;
  /** Whether the request id decides and tells; else every request is chosen that its caller leaves open. */
  readonly samplesById: boolean;
  /** Whether the id is marked with the decision. */
  readonly marksId: boolean;
  readonly customTags: readonly CustomTag[];
  /** A longer path is cut in tags. */
  readonly maxPathTagLength: number;
  /** Each attempt at an endpoint is a span of its own, and the proxy a hop of its own. */
  readonly spawnsUpstreamSpan: boolean;
  readonly node: { readonly id: string; readonly zone: string };
  /** `http.*.tracing.*` */
  readonly decisions: Readonly<Record<TraceReason, Counter>>;
}

/** What a route changes of tracing. @see envoy.config.route.v3.Tracing */
export interface RouteTracing extends SpanNames {
  readonly shares: SamplingShares;
  /** By name; they replace those of the connection manager. */
  readonly customTags: ReadonlyMap<string, CustomTag>;
}

/** @see envoy.config.route.v3.Decorator */
export interface Decorator {
  readonly operation: string;
  /** Whether the other side of the hop is told. */
  readonly isPropagated: boolean;
}
