/** What a workload's proxy tells of the calls it sees. */
export interface Signals {
  /** Equal for proxies that tell alike. */
  readonly key: string;
  readonly outbound: SideSignals;
  readonly inbound: SideSignals;
}

/** The same of one side of the proxy. */
export interface SideSignals {
  /** In order of their providers' names. */
  readonly accessLogs: readonly AccessLogRule[];
  /** Undefined: calls are not counted. */
  readonly metrics: MetricsRule | undefined;
  /** Undefined: calls are not traced. */
  readonly tracing: TracingRule | undefined;
}

export interface AccessLogRule {
  readonly provider: AccessLogProvider;
  /** An expression that what is logged satisfies; "" logs all. */
  readonly filter: string;
}

export interface MetricsRule {
  /** How often bytes of open connections are counted; undefined: as usual. */
  readonly reportingMs: number | undefined;
  /** One for each metric that is changed, in order of their names. */
  readonly overrides: readonly MetricRule[];
}

export interface MetricRule {
  /** `requests_total`: without `istio_`. */
  readonly metric: string;
  readonly isDropped: boolean;
  readonly removedTags: readonly string[];
  /** Labels that are replaced or added, in order of their names. */
  readonly tags: readonly { readonly name: string; readonly expression: string }[];
}

export interface TracingRule {
  readonly provider: TraceProvider;
  readonly samplingPercent: number;
  /** In order of their names. */
  readonly tags: readonly TraceTag[];
  readonly samplesByRequestId: boolean;
  /** Whether spans say which service of the mesh they are of. */
  readonly hasIstioTags: boolean;
}

export type TraceTag = { readonly name: string } & (
  | { readonly kind: "literal" | "formatter"; readonly value: string }
  | { readonly kind: "environment" | "header"; readonly variable: string; readonly otherwise: string }
);

/** A service that is told something, at one of its ports. */
interface Destination {
  readonly host: string;
  readonly port: number;
}

interface HeaderField {
  readonly name: string;
  readonly value: string;
}

/** Text, or a JSON object, with Envoy's command operators. */
export type LogFormat = string | Readonly<Record<string, unknown>>;

export interface FileLogProvider {
  readonly kind: "file";
  readonly path: string;
  readonly format: LogFormat;
  readonly omitsEmpty: boolean;
}

export type AccessLogProvider =
  | FileLogProvider
  | (Destination & {
      readonly kind: "http-als";
      readonly logName: string;
      readonly requestHeaders: readonly string[];
      readonly responseHeaders: readonly string[];
      readonly responseTrailers: readonly string[];
    })
  | (Destination & { readonly kind: "tcp-als"; readonly logName: string })
  | (Destination & {
      readonly kind: "otel-log";
      readonly logName: string;
      readonly text: string;
      /** In order of their names. */
      readonly labels: readonly HeaderField[];
    });

export type TraceProvider = Destination & {
  /** 0: as usual. */
  readonly maxTagLength: number;
} & (
    | {
        readonly kind: "zipkin";
        readonly path: string;
        readonly hasLongIds: boolean;
        readonly timeoutMs: number;
        readonly headers: readonly HeaderField[];
      }
    | {
        readonly kind: "opentelemetry";
        /** By HTTP; undefined: by gRPC. */
        readonly http: { readonly path: string } | undefined;
        /** Undefined: as usual. */
        readonly timeoutMs: number | undefined;
        readonly headers: readonly HeaderField[];
      }
  );

/** Whom signals can be sent to. */
export type TelemetryProvider = { readonly kind: "prometheus" } | AccessLogProvider | TraceProvider;

export function isAccessLog(provider: TelemetryProvider): provider is AccessLogProvider {
  return ["file", "http-als", "tcp-als", "otel-log"].includes(provider.kind);
}

export function isTracer(provider: TelemetryProvider): provider is TraceProvider {
  return provider.kind === "zipkin" || provider.kind === "opentelemetry";
}

/** Where a provider is, when it is a service. */
export function destinationOf(provider: TelemetryProvider): Destination | undefined {
  return "host" in provider ? provider : undefined;
}
