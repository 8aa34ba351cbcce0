import type { Finding } from "../finding.ts";
import type {
  HttpHeaderSpec,
  OpenTelemetryProviderSpec,
  ServiceProviderSpec,
  TelemetryProviderSpec,
} from "./telemetry-provider-spec.ts";

const services = ["envoyHttpAls", "envoyTcpAls", "envoyOtelAls", "zipkin", "opentelemetry"] as const;

/** True where the provider is one of telemetry; its values have then been looked at. */
export function checkTelemetryProvider(
  provider: TelemetryProviderSpec,
  path: string,
  find: Finding,
): boolean {
  const { prometheus, envoyFileAccessLog, envoyHttpAls, envoyOtelAls, zipkin, opentelemetry } = provider;
  if (prometheus) return true;
  if (envoyFileAccessLog) {
    checkLabels(envoyFileAccessLog.logFormat?.labels, `${path}.envoyFileAccessLog`, find);
    return true;
  }
  const kind = services.find((one) => provider[one]);
  if (!kind) return false;
  checkService(provider[kind]!, `${path}.${kind}`, find);
  const names = [
    ...(envoyHttpAls?.additionalRequestHeadersToLog ?? []),
    ...(envoyHttpAls?.additionalResponseHeadersToLog ?? []),
    ...(envoyHttpAls?.additionalResponseTrailersToLog ?? []),
  ];
  for (const name of names) find.headerName(`${path}.envoyHttpAls`, name);
  if (envoyOtelAls) {
    const place = `${path}.envoyOtelAls.logFormat.labels`;
    for (const [label, value] of Object.entries(envoyOtelAls.logFormat?.labels ?? {})) {
      if (typeof value === "string") continue;
      find.error(
        "W1102",
        `${place}.${label}`,
        `${place}.${label} must be a string`,
        "numbers are written as text",
      );
    }
  }
  if (zipkin) {
    const at = `${path}.zipkin`;
    checkPath(zipkin.path, `${at}.path`, find);
    checkTracer(zipkin.maxTagLength, zipkin.timeout, zipkin.headers, at, find);
  }
  if (opentelemetry) checkOpenTelemetry(opentelemetry, `${path}.opentelemetry`, find);
  return true;
}

function checkService({ service, port }: ServiceProviderSpec, at: string, find: Finding): void {
  find.host(`${at}.service`, service.slice(service.indexOf("/") + 1));
  find.port(`${at}.port`, port);
}

function checkPath(path: string | undefined, at: string, find: Finding): void {
  if (path === undefined || /^\/[\x21-\x7e]*$/.test(path)) return;
  find.error("W1105", at, `"${path}" is not a path`, "it begins with /");
}

function checkTracer(
  maxTagLength: number | undefined,
  timeout: string | undefined,
  headers: readonly HttpHeaderSpec[] | undefined,
  at: string,
  find: Finding,
): void {
  find.range(`${at}.maxTagLength`, maxTagLength, 0, 65_536);
  find.duration(`${at}.timeout`, timeout, { minMs: 1 });
  headers?.forEach(({ name, value }, i) => {
    find.headerName(`${at}.headers[${i}].name`, name);
    find.headerValue(`${at}.headers[${i}].value`, value ?? "");
  });
}

function checkOpenTelemetry(spec: OpenTelemetryProviderSpec, at: string, find: Finding): void {
  const { http, grpc, maxTagLength } = spec;
  if (http && grpc) {
    find.error("W1106", `${at}.grpc`, `${at} sets http and grpc at once`, "keep one of them");
  }
  checkPath(http?.path, `${at}.http.path`, find);
  checkTracer(maxTagLength, http?.timeout, http?.headers, http ? `${at}.http` : at, find);
  checkTracer(undefined, grpc?.timeout, grpc?.initialMetadata, `${at}.grpc`, find);
}

/** Values are text, or maps of it. */
function checkLabels(
  labels: Readonly<Record<string, unknown>> | undefined,
  path: string,
  find: Finding,
): void {
  for (const [name, value] of Object.entries(labels ?? {})) {
    const isPlain = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
    const isMap = typeof value === "object" && value !== null && !Array.isArray(value);
    if (isMap) checkLabels(value as Readonly<Record<string, unknown>>, `${path}.${name}`, find);
    else if (!isPlain) find.error("W1102", path, `${path}: label ${name} must be a string or a map`);
  }
}
