/** What a TLS ClientHello says before anything is encrypted. */
export interface ClientHello {
  /** Lower case; "" when absent. */
  readonly serverName: string;
  readonly alpnProtocols: readonly string[];
}

export type ClientHelloResult =
  | { readonly kind: "hello"; readonly hello: ClientHello }
  | { readonly kind: "not-tls" }
  | { readonly kind: "incomplete" };

/** A ClientHello longer than this is refused (Envoy's limit). */
export const maxClientHelloBytes = 16 * 1024;

const handshakeRecord = 22;
const clientHelloMessage = 1;
const notTls: ClientHelloResult = { kind: "not-tls" };
const incomplete: ClientHelloResult = { kind: "incomplete" };
const nothing: ClientHello = { serverName: "", alpnProtocols: [] };

/**
 * Reads SNI and ALPN from the first bytes of a connection without consuming
 * them. A hello may span several records; one that is malformed inside counts
 * as TLS without names, so that the handshake itself refuses it.
 *
 * @see RFC 8446 §4.1.2, RFC 6066 §3, RFC 7301 §3.1
 */
export function parseClientHello(bytes: Buffer): ClientHelloResult {
  if (bytes.length === 0) return incomplete;
  if (bytes[0] !== handshakeRecord || (bytes.length > 1 && bytes[1] !== 3)) return notTls;
  const message = joinRecords(bytes);
  if (message === undefined) return notTls;
  if (message.length > 0 && message[0] !== clientHelloMessage) return notTls;
  if (message.length < 4) return bytes.length > maxClientHelloBytes ? notTls : incomplete;
  const length = message.readUIntBE(1, 3);
  if (length > maxClientHelloBytes) return notTls;
  if (message.length < 4 + length) return incomplete;
  return { kind: "hello", hello: parseBody(message.subarray(4, 4 + length)) };
}

/** The handshake bytes received so far, record headers removed; undefined when a record is of another kind. */
function joinRecords(bytes: Buffer): Buffer | undefined {
  const parts: Buffer[] = [];
  let at = 0;
  while (at + 5 <= bytes.length) {
    if (bytes[at] !== handshakeRecord) return parts.length > 0 ? Buffer.concat(parts) : undefined;
    const length = bytes.readUInt16BE(at + 3);
    parts.push(bytes.subarray(at + 5, Math.min(at + 5 + length, bytes.length)));
    at += 5 + length;
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

function parseBody(body: Buffer): ClientHello {
  try {
    let at = 34;
    at += 1 + body.readUInt8(at);
    at += 2 + body.readUInt16BE(at);
    at += 1 + body.readUInt8(at);
    if (at + 2 > body.length) return nothing;
    const end = Math.min(body.length, at + 2 + body.readUInt16BE(at));
    at += 2;
    let serverName = "";
    let alpnProtocols: string[] = [];
    while (at + 4 <= end) {
      const type = body.readUInt16BE(at);
      const length = body.readUInt16BE(at + 2);
      const extension = body.subarray(at + 4, Math.min(end, at + 4 + length));
      if (type === 0) serverName = parseServerName(extension);
      else if (type === 16) alpnProtocols = parseAlpn(extension);
      at += 4 + length;
    }
    return { serverName, alpnProtocols };
  } catch (error) {
    if (error instanceof RangeError) return nothing;
    throw error;
  }
}

function parseServerName(extension: Buffer): string {
  let at = 2;
  while (at + 3 <= extension.length) {
    const length = extension.readUInt16BE(at + 1);
    if (extension[at] === 0) return extension.toString("latin1", at + 3, at + 3 + length).toLowerCase();
    at += 3 + length;
  }
  return "";
}

function parseAlpn(extension: Buffer): string[] {
  const protocols: string[] = [];
  let at = 2;
  while (at < extension.length) {
    const length = extension.readUInt8(at);
    protocols.push(extension.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return protocols;
}
