import { isGrpc } from "../route/request-matcher.ts";
import { HeaderList } from "./header-list.ts";
import type { RequestHead, ResponseHead } from "./message.ts";

export interface LocalReply {
  readonly head: ResponseHead;
  readonly body: Buffer;
}

const nothing = Buffer.alloc(0);

/**
 * An answer made here, in the form the client's protocol expects: plain text,
 * or for gRPC a trailers-only response that says the same.
 *
 * @see https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md
 */
export function buildLocalReply(
  request: RequestHead | undefined,
  status: number,
  body: Buffer,
  fields: readonly string[] | undefined,
  grpcStatus: number | undefined,
): LocalReply {
  const flat = fields ? [...fields] : [];
  if (request && isGrpc(request)) {
    const headers = new HeaderList(flat);
    headers.set("content-type", "application/grpc");
    headers.set("grpc-status", `${grpcStatus ?? grpcStatusOf(status)}`);
    if (body.length > 0) headers.set("grpc-message", encodeGrpcMessage(body));
    return { head: { status: 200, headers }, body: nothing };
  }
  if (body.length > 0) {
    flat.push("content-length", `${body.length}`);
    if (!flat.includes("content-type")) flat.push("content-type", "text/plain");
  }
  return {
    head: { status, headers: new HeaderList(flat) },
    body: request?.method === "HEAD" ? nothing : body,
  };
}

function grpcStatusOf(status: number): number {
  switch (status) {
    case 400:
      return 13;
    case 401:
      return 16;
    case 403:
      return 7;
    case 404:
      return 12;
    case 429:
    case 502:
    case 503:
    case 504:
      return 14;
    default:
      return 2;
  }
}

/** Percent-encodes what gRPC does not allow in `grpc-message`. */
function encodeGrpcMessage(body: Buffer): string {
  let text = "";
  for (const byte of body) {
    text +=
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text;
}
