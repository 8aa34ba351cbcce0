import { HeaderList } from "../layer/header-list.ts";
import type { Callout, CalloutResponse, CalloutResult, Callouts } from "./callout.ts";

/** A gRPC service of a cluster. @see envoy.config.core.v3.GrpcService */
export interface GrpcTarget {
  readonly cluster: string;
  readonly authority: string;
  /** Sent with every call, flat: name then value. */
  readonly metadata: readonly string[];
  readonly timeoutMs: number;
}

/** The answer's message, or undefined where the call failed, whatever the reason. */
export type GrpcReply = Buffer | undefined;

const frameHeaderBytes = 5;
const maxReplyBytes = 1024 * 1024;

/**
 * One unary call. The deadline goes along as `grpc-timeout`.
 *
 * @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
export function callGrpc(
  callouts: Callouts,
  target: GrpcTarget,
  path: string,
  message: Uint8Array,
  onReply: (reply: GrpcReply) => void,
): Callout {
  return startGrpc(callouts, target, path, message, (result) => onReply(replyIn(result)));
}

/** One message to a method that streams; it arrived where the call ends well, whatever is answered. */
export function sendGrpc(
  callouts: Callouts,
  target: GrpcTarget,
  path: string,
  message: Uint8Array,
  onEnd: (isDelivered: boolean) => void,
): Callout {
  return startGrpc(callouts, target, path, message, (result) => onEnd(isOk(result)));
}

function startGrpc(
  callouts: Callouts,
  target: GrpcTarget,
  path: string,
  message: Uint8Array,
  onResult: (result: CalloutResult) => void,
): Callout {
  const { cluster, authority, metadata, timeoutMs } = target;
  const fields = ["te", "trailers", "content-type", "application/grpc", ...metadata];
  if (timeoutMs > 0) fields.unshift("grpc-timeout", `${timeoutMs}m`);
  const frame = Buffer.allocUnsafe(frameHeaderBytes + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, frameHeaderBytes);
  const headers = new HeaderList(fields);
  return callouts.start(
    {
      cluster,
      head: { method: "POST", path, authority, scheme: "http", upgrade: "", headers },
      body: frame,
      timeoutMs,
      maxResponseBytes: maxReplyBytes + frameHeaderBytes,
      protocol: "HTTP/2",
    },
    onResult,
  );
}

function isOk(result: CalloutResult): result is CalloutResponse {
  if (result.kind !== "response" || result.head.status !== 200) return false;
  return (result.trailers?.get("grpc-status") ?? result.head.headers.get("grpc-status")) === "0";
}

function replyIn(result: CalloutResult): GrpcReply {
  if (!isOk(result)) return undefined;
  const { body } = result;
  // Neither compressed nor cut short, and one message only.
  if (body.length < frameHeaderBytes || body[0] !== 0) return undefined;
  if (body.readUInt32BE(1) !== body.length - frameHeaderBytes) return undefined;
  return body.subarray(frameHeaderBytes);
}
