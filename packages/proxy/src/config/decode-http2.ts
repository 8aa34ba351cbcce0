import type { Http2ProtocolOptions, KeepaliveSettings } from "@weft/xds/gen/envoy/config/core/v3/protocol_pb";
import { defaultHttp2Plan, type Http2Plan } from "../http2/http2-plan.ts";
import type { KeepAlivePlan } from "../http2/keep-alive.ts";
import { timeoutMs } from "./decode-values.ts";
import { at, type Issues } from "./issues.ts";

const smallestWindowBytes = 65_535;
const largestWindowBytes = 0x7fffffff;

/** Decodes how a listener or a cluster speaks HTTP/2, within the ranges that Envoy's API declares. */
export function decodeHttp2(
  options: Http2ProtocolOptions | undefined,
  path: string,
  issues: Issues,
  /** `stream_error_on_invalid_http_message` of the connection manager, which the protocol's own setting overrides. */
  keepsConnection = false,
): Http2Plan {
  if (!options)
    return keepsConnection ? { ...defaultHttp2Plan, keepsConnectionOnBadMessage: true } : defaultHttp2Plan;
  const inRange = (field: string, value: number | undefined, fallback: number, min: number, max: number) => {
    if (value !== undefined && (value < min || value > max)) {
      issues.add(at(path, field), `${value} is out of range`, `${min} to ${max}`);
    }
    return value ?? fallback;
  };
  const window = (field: string, value: number | undefined, fallback: number) =>
    inRange(field, value, fallback, smallestWindowBytes, largestWindowBytes);
  const streams = options.maxConcurrentStreams;
  const plan = defaultHttp2Plan;
  return {
    hpackTableBytes: inRange("hpack_table_size", options.hpackTableSize, plan.hpackTableBytes, 0, 1 << 20),
    maxConcurrentStreams: inRange(
      "max_concurrent_streams",
      streams,
      plan.maxConcurrentStreams,
      1,
      largestWindowBytes,
    ),
    streamWindowBytes: window(
      "initial_stream_window_size",
      options.initialStreamWindowSize,
      plan.streamWindowBytes,
    ),
    connectionWindowBytes: window(
      "initial_connection_window_size",
      options.initialConnectionWindowSize,
      plan.connectionWindowBytes,
    ),
    maxOutboundFrames: options.maxOutboundFrames ?? plan.maxOutboundFrames,
    maxOutboundControlFrames: options.maxOutboundControlFrames ?? plan.maxOutboundControlFrames,
    maxConsecutiveEmptyFrames:
      options.maxConsecutiveInboundFramesWithEmptyPayload ?? plan.maxConsecutiveEmptyFrames,
    maxPriorityFramesPerStream: options.maxInboundPriorityFramesPerStream ?? plan.maxPriorityFramesPerStream,
    maxWindowUpdatesPerDataFrame:
      options.maxInboundWindowUpdateFramesPerDataFrameSent ?? plan.maxWindowUpdatesPerDataFrame,
    keepAlive:
      options.connectionKeepalive &&
      decodeKeepAlive(options.connectionKeepalive, at(path, "connection_keepalive"), issues),
    allowsConnect: options.allowConnect,
    keepsConnectionOnBadMessage: options.overrideStreamErrorOnInvalidHttpMessage ?? keepsConnection,
  };
}

function decodeKeepAlive(
  settings: KeepaliveSettings,
  path: string,
  issues: Issues,
): KeepAlivePlan | undefined {
  const intervalMs = timeoutMs(settings.interval, 0, at(path, "interval"), issues);
  const waitMs = timeoutMs(settings.timeout, 0, at(path, "timeout"), issues);
  if (waitMs < 1) issues.add(at(path, "timeout"), "is not set", "say how long an answer to a PING may take");
  if (settings.interval && intervalMs < 1) issues.add(at(path, "interval"), "is shorter than 1 ms");
  const jitter = settings.intervalJitter?.value ?? 15;
  if (!(jitter >= 0 && jitter <= 100))
    issues.add(at(path, "interval_jitter"), `${jitter} is not a percentage`);
  return settings.interval && { intervalMs, timeoutMs: waitMs, jitterPercent: jitter };
}
