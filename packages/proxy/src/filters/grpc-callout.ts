import { HeaderList } from "../layer/header-list.ts";
import type { Callout, CalloutResult, Callouts } from "./callout.ts";

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
    },
    (result) => onReply(replyIn(result)),
  );
}

function replyIn(result: CalloutResult): GrpcReply {
  if (result.kind !== "response" || result.head.status !== 200) return undefined;
  const status = result.trailers?.get("grpc-status") ?? result.head.headers.get("grpc-status");
  if (status !== "0") return undefined;
  const { body } = result;
  // Neither compressed nor cut short, and one message only.
  if (body.length < frameHeaderBytes || body[0] !== 0) return undefined;
  if (body.readUInt32BE(1) !== body.length - frameHeaderBytes) return undefined;
  return body.subarray(frameHeaderBytes);
}
