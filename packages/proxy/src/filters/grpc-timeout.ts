import type { RequestHead } from "../layer/message.ts";
import { isGrpc } from "../route/request-matcher.ts";
import type { StreamDuration } from "../route/stream-duration.ts";

const unitsMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/**
 * Milliseconds, rounded up, of a `grpc-timeout`; undefined when it is none.
 *
 * @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
export function parseGrpcTimeout(text: string | undefined): number | undefined {
  const match = text === undefined ? null : /^(\d{1,8})([HMSmun])$/.exec(text);
  return match ? Math.ceil(Number(match[1]) * unitsMs[match[2]!]!) : undefined;
}

/** The same in the finest unit, from milliseconds on, whose number has at most eight digits. */
export function formatGrpcTimeout(timeoutMs: number): string {
  for (const unit of ["m", "S", "M"]) {
    const count = Math.floor(timeoutMs / unitsMs[unit]!);
    if (count < 1e8) return `${count}${unit}`;
  }
  return `${Math.min(Math.floor(timeoutMs / unitsMs.H!), 99_999_999)}H`;
}

/**
 * How long this exchange may take under a route's limit, or its connection
 * manager's where the route leaves it; 0 means without end.
 * A gRPC request tells its upstream the same.
 */
export function streamDurationMs(limit: StreamDuration, head: RequestHead, managersMs: number): number {
  const { maxMs = managersMs, grpcMaxMs, grpcOffsetMs } = limit;
  if (!isGrpc(head)) return maxMs;
  const askedMs = parseGrpcTimeout(head.headers.get("grpc-timeout"));
  if (askedMs === undefined || grpcMaxMs === undefined) {
    if (maxMs > 0) head.headers.set("grpc-timeout", formatGrpcTimeout(maxMs));
    return maxMs;
  }
  const cappedMs = grpcMaxMs > 0 ? Math.min(askedMs, grpcMaxMs) : askedMs;
  const leftMs = Math.max(0, cappedMs - grpcOffsetMs);
  head.headers.set("grpc-timeout", formatGrpcTimeout(leftMs));
  // 0 would be no limit at all.
  return Math.max(1, leftMs);
}
