import type { HeaderValueOption } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import { RequestMethod } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import type {
  HealthCheck,
  HealthCheck_HttpHealthCheck,
  HealthCheck_Payload,
} from "@weft/xds/gen/envoy/config/core/v3/health_check_pb";
import { CodecClientType } from "@weft/xds/gen/envoy/type/v3/http_pb";
import type { Int64Range } from "@weft/xds/gen/envoy/type/v3/range_pb";
import type {
  HeaderAddition,
  HealthCheckPlan,
  HttpProbePlan,
  ProbePlan,
} from "../health-check/health-check-plan.ts";
import { headerActions } from "./decode-header-edits.ts";
import { decodeStringMatcher, metadataPairs, timeoutMs } from "./decode-values.ts";
import { at, type Issues } from "./issues.ts";

/** Decodes `health_checks`, of which there is at most one, as in Envoy. */
export function decodeHealthChecks(
  checks: readonly HealthCheck[],
  path: string,
  issues: Issues,
): HealthCheckPlan | undefined {
  if (checks.length > 1) issues.add(path, `names ${checks.length} checks`, "a cluster has one");
  return checks[0] && decodeHealthCheck(checks[0], `${path}[0]`, issues);
}

function decodeHealthCheck(check: HealthCheck, path: string, issues: Issues): HealthCheckPlan {
  const required = (name: "timeout" | "interval") => {
    const ms = timeoutMs(check[name], 0, at(path, name), issues);
    if (ms <= 0) issues.add(at(path, name), "is a duration above 0", "such as 5s");
    return Math.max(1, ms);
  };
  const threshold = (value: number | undefined, name: string) => {
    if (!value) issues.add(at(path, name), "is at least 1", "such as 3");
    return value ?? 1;
  };
  const time = (value: HealthCheck["timeout"], fallbackMs: number, name: string) =>
    timeoutMs(value, fallbackMs, at(path, name), issues);
  const timeout = required("timeout");
  const intervalMs = required("interval");
  const unhealthyIntervalMs = time(check.unhealthyInterval, intervalMs, "unhealthy_interval");
  const noTrafficIntervalMs = time(check.noTrafficInterval, 60_000, "no_traffic_interval");
  if (check.altPort !== undefined && (check.altPort < 1 || check.altPort > 65_535)) {
    issues.add(at(path, "alt_port"), `${check.altPort} is not a port`, "1 to 65535");
  }
  return {
    probe: decodeProbe(check, path, issues),
    timeoutMs: timeout,
    intervalMs,
    initialJitterMs: time(check.initialJitter, 0, "initial_jitter"),
    intervalJitterMs: time(check.intervalJitter, 0, "interval_jitter"),
    intervalJitterPercent: check.intervalJitterPercent,
    unhealthyThreshold: threshold(check.unhealthyThreshold, "unhealthy_threshold"),
    healthyThreshold: threshold(check.healthyThreshold, "healthy_threshold"),
    noTrafficIntervalMs,
    noTrafficHealthyIntervalMs: time(
      check.noTrafficHealthyInterval,
      noTrafficIntervalMs,
      "no_traffic_healthy_interval",
    ),
    unhealthyIntervalMs,
    unhealthyEdgeIntervalMs: time(
      check.unhealthyEdgeInterval,
      unhealthyIntervalMs,
      "unhealthy_edge_interval",
    ),
    healthyEdgeIntervalMs: time(check.healthyEdgeInterval, intervalMs, "healthy_edge_interval"),
    reusesConnection: check.reuseConnection ?? true,
    altPort: check.altPort,
    transportMatch: check.transportSocketMatchCriteria && metadataPairs(check.transportSocketMatchCriteria),
    alpnProtocols: check.tlsOptions?.alpnProtocols,
  };
}

function decodeProbe(check: HealthCheck, path: string, issues: Issues): ProbePlan {
  const { healthChecker } = check;
  switch (healthChecker.case) {
    case "httpHealthCheck":
      return decodeHttpProbe(healthChecker.value, at(path, "http_health_check"), issues);
    case "grpcHealthCheck": {
      const { serviceName, authority, initialMetadata } = healthChecker.value;
      const headers = decodeAdditions(
        initialMetadata,
        at(path, "grpc_health_check.initial_metadata"),
        issues,
      );
      return { kind: "grpc", serviceName, authority, headers };
    }
    case "tcpHealthCheck": {
      const { send, receive } = healthChecker.value;
      const place = at(path, "tcp_health_check");
      return {
        kind: "tcp",
        send: send && decodePayload(send, at(place, "send"), issues),
        receive: receive.map((payload, i) => decodePayload(payload, `${at(place, "receive")}[${i}]`, issues)),
      };
    }
    default:
      issues.add(path, "needs one of `http_health_check`, `grpc_health_check`, `tcp_health_check`");
      return { kind: "tcp", send: undefined, receive: [] };
  }
}

const bodiless = [RequestMethod.GET, RequestMethod.HEAD, RequestMethod.DELETE, RequestMethod.TRACE];

function decodeHttpProbe(check: HealthCheck_HttpHealthCheck, path: string, issues: Issues): HttpProbePlan {
  if (!check.path.startsWith("/"))
    issues.add(at(path, "path"), `${JSON.stringify(check.path)} is not a path`, "such as /healthz");
  if (/[\0\r\n ]/.test(check.path + check.host)) issues.add(path, "`path` and `host` are one word each");
  const method = check.method || RequestMethod.GET;
  if (method === RequestMethod.CONNECT) issues.add(at(path, "method"), "CONNECT asks nothing", "use GET");
  if (check.send && bodiless.includes(method)) {
    issues.add(
      at(path, "send"),
      `${RequestMethod[method]} has no payload`,
      "use POST, PUT, PATCH or OPTIONS",
    );
  }
  if (check.codecClientType === CodecClientType.HTTP3)
    issues.add(at(path, "codec_client_type"), "HTTP/3 is not spoken", "use HTTP1 or HTTP2");
  const receive = check.receive.map((payload, i) =>
    decodePayload(payload, `${at(path, "receive")}[${i}]`, issues),
  );
  const limit = Number(check.responseBufferSize ?? 1024);
  const expectedBytes = receive.reduce((sum, { length }) => sum + length, 0);
  if (limit > 0 && expectedBytes > limit) {
    issues.add(at(path, "response_buffer_size"), `${limit} cannot hold the ${expectedBytes} bytes expected`);
  }
  const removed = check.requestHeadersToRemove.map((name) => name.toLowerCase());
  return {
    kind: "http",
    protocol: check.codecClientType === CodecClientType.HTTP2 ? "http2" : "http1",
    method: RequestMethod[method],
    host: check.host,
    path: check.path,
    body: check.send && decodePayload(check.send, at(path, "send"), issues),
    receive,
    bufferLimitBytes: limit === 0 ? maxBufferBytes : Math.min(limit, maxBufferBytes),
    headers: decodeAdditions(check.requestHeadersToAdd, at(path, "request_headers_to_add"), issues),
    removedHeaders: removed,
    isExpected: decodeStatuses(check.expectedStatuses, at(path, "expected_statuses"), issues, 200),
    isRetriable: decodeStatuses(check.retriableStatuses, at(path, "retriable_statuses"), issues, undefined),
    matchesService:
      check.serviceNameMatcher &&
      decodeStringMatcher(check.serviceNameMatcher, at(path, "service_name_matcher"), issues),
  };
}

/** No limit is this one. */
const maxBufferBytes = 1 << 20;

function decodeStatuses(
  ranges: readonly Int64Range[],
  path: string,
  issues: Issues,
  fallback: number | undefined,
): (status: number) => boolean {
  const bounds = ranges.map((range, i) => {
    const [start, end] = [Number(range.start), Number(range.end)];
    if (start < 100 || end > 600 || start >= end) {
      issues.add(
        `${path}[${i}]`,
        `[${start}, ${end}) is no range of statuses`,
        "100 to 600, the end excluded",
      );
    }
    return [start, end] as const;
  });
  if (bounds.length === 0) return (status) => status === fallback;
  return (status) => bounds.some(([start, end]) => status >= start && status < end);
}

function decodePayload({ payload }: HealthCheck_Payload, path: string, issues: Issues): Buffer {
  let bytes = Buffer.alloc(0);
  if (payload.case === "binary") bytes = Buffer.from(payload.value);
  else if (payload.case === "text" && /^(?:[0-9A-Fa-f]{2})+$/.test(payload.value)) {
    bytes = Buffer.from(payload.value, "hex");
  }
  if (bytes.length === 0) issues.add(path, "is empty or not hexadecimal", "`text: 50494e47` or `binary`");
  return bytes;
}

function decodeAdditions(
  options: readonly HeaderValueOption[],
  path: string,
  issues: Issues,
): readonly HeaderAddition[] {
  return options.map(({ header, append, appendAction }, i): HeaderAddition => {
    const place = at(`${path}[${i}]`, "header");
    const name = header?.key.toLowerCase() ?? "";
    if (!/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name) || name === "host") {
      issues.add(at(place, "key"), `${JSON.stringify(name)} is not a header that can be added`);
    }
    const value = (header?.value ?? "").replaceAll("%%", "\0");
    // There is no request whose facts an operator could name.
    if (value.includes("%")) issues.add(at(place, "value"), "has a command operator", "write a plain value");
    return {
      name,
      value: value.replaceAll("\0", "%"),
      action:
        append === undefined ? headerActions[appendAction] : append ? "append-or-add" : "overwrite-or-add",
    };
  });
}
