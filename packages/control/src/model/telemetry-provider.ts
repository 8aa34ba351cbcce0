import type { ProviderSpec } from "../config/mesh-config/mesh-config-spec.ts";
import type { HttpHeaderSpec, ServiceProviderSpec } from "../config/mesh-config/telemetry-provider-spec.ts";
import { parseDurationMs } from "../config/values.ts";
import { istioAccessLogFormat, istioAccessLogLabels } from "./access-log-formats.ts";
import type { LogFormat, TelemetryProvider } from "./signals.ts";

/** As Istio's. */
const zipkinTimeoutMs = 5_000;

/** What a provider of MeshConfig is for telemetry; undefined where it is for something else. */
export function telemetryProvider(spec: ProviderSpec): TelemetryProvider | undefined {
  const { prometheus, envoyFileAccessLog, envoyHttpAls, envoyTcpAls, envoyOtelAls } = spec;
  if (prometheus) return { kind: "prometheus" };
  if (envoyFileAccessLog) {
    const { path = "", logFormat, omitEmptyValues = false } = envoyFileAccessLog;
    const format = logFormat?.labels ? jsonFormat(logFormat.labels) : textFormat(logFormat?.text ?? "");
    return { kind: "file", path: path || "/dev/stdout", format, omitsEmpty: omitEmptyValues };
  }
  if (envoyHttpAls) {
    const { logName, ...also } = envoyHttpAls;
    return {
      kind: "http-als",
      ...destination(envoyHttpAls),
      logName: logName || "http_envoy_accesslog",
      requestHeaders: also.additionalRequestHeadersToLog ?? [],
      responseHeaders: also.additionalResponseHeadersToLog ?? [],
      responseTrailers: also.additionalResponseTrailersToLog ?? [],
    };
  }
  if (envoyTcpAls) {
    const logName = envoyTcpAls.logName || "tcp_envoy_accesslog";
    return { kind: "tcp-als", ...destination(envoyTcpAls), logName };
  }
  if (envoyOtelAls) {
    const { logName, logFormat } = envoyOtelAls;
    return {
      kind: "otel-log",
      ...destination(envoyOtelAls),
      logName: logName || "otel_envoy_accesslog",
      text: logFormat?.text || istioAccessLogFormat,
      labels: fields(
        Object.entries(logFormat?.labels ?? {}).map(([name, value]) => ({ name, value: String(value) })),
      ),
    };
  }
  return tracer(spec);
}

function tracer({ zipkin, opentelemetry }: ProviderSpec): TelemetryProvider | undefined {
  if (zipkin) {
    return {
      kind: "zipkin",
      ...destination(zipkin),
      maxTagLength: zipkin.maxTagLength ?? 0,
      path: zipkin.path || "/api/v2/spans",
      hasLongIds: !(zipkin.enable64bitTraceId ?? false),
      timeoutMs: timeOf(zipkin.timeout) ?? zipkinTimeoutMs,
      headers: fields(zipkin.headers),
    };
  }
  if (!opentelemetry) return undefined;
  const { http, grpc, maxTagLength = 0 } = opentelemetry;
  return {
    kind: "opentelemetry",
    ...destination(opentelemetry),
    maxTagLength,
    http: http && { path: http.path },
    timeoutMs: timeOf(http?.timeout ?? grpc?.timeout) ?? (http ? 3_000 : undefined),
    headers: fields(http ? http.headers : grpc?.initialMetadata),
  };
}

function destination({ service, port }: ServiceProviderSpec) {
  return { host: service.slice(service.indexOf("/") + 1).toLowerCase(), port };
}

function timeOf(duration: string | undefined): number | undefined {
  return duration === undefined ? undefined : parseDurationMs(duration);
}

function fields(headers: readonly HttpHeaderSpec[] = []): { name: string; value: string }[] {
  return headers.map(({ name, value = "" }) => ({ name, value })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** With a line end; Istio's own where nothing is written. */
export function textFormat(text: string): LogFormat {
  if (text === "") return istioAccessLogFormat;
  return text.endsWith("\n") ? text : `${text}\n`;
}

/** Istio's own where nothing is written. */
export function jsonFormat(labels: Readonly<Record<string, unknown>>): LogFormat {
  return Object.keys(labels).length === 0 ? istioAccessLogLabels : labels;
}
