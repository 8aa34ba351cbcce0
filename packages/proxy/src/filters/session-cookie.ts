/**
 * The value of a cookie that binds a session to an endpoint, as Envoy writes
 * and reads it: base64 of a protobuf message with the endpoint's address (field
 * 1) and when that ends, in seconds since the epoch (field 2), 0 for never.
 */
export function encodeSession(address: string, expiresAtSeconds: number): string {
  const text = Buffer.from(address, "latin1");
  const parts = [Buffer.from([0x0a, ...varint(text.length)]), text];
  if (expiresAtSeconds > 0) parts.push(Buffer.from([0x10, ...varint(expiresAtSeconds)]));
  return Buffer.concat(parts).toString("base64");
}

/** Undefined where it is over, or says nothing. An address alone, in base64, is what older ones hold. */
export function decodeSession(value: string, nowSeconds: number): string | undefined {
  const bytes = decodeBase64(value);
  if (!bytes) return undefined;
  const session = readSession(bytes);
  if (!session) return bytes.toString("latin1");
  const { address, expiresAtSeconds } = session;
  return address === "" || (expiresAtSeconds !== 0 && expiresAtSeconds < nowSeconds) ? undefined : address;
}

/** Undefined where it is none; Node's own reader takes anything. */
export function decodeBase64(text: string): Buffer | undefined {
  if (text === "" || text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  return Buffer.from(text, "base64");
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return [...bytes, rest];
}

/** The two fields among any others; undefined where the bytes are no message. */
function readSession(
  bytes: Buffer,
): { readonly address: string; readonly expiresAtSeconds: number } | undefined {
  let address = "";
  let expiresAtSeconds = 0;
  let at = 0;
  const next = (): number | undefined => {
    let value = 0;
    for (let scale = 1, i = 0; i < 10; i++, scale *= 0x80) {
      const byte = bytes[at++];
      if (byte === undefined) return undefined;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    return undefined;
  };
  while (at < bytes.length) {
    const tag = next();
    if (tag === undefined || tag < 8) return undefined;
    const [field, type] = [Math.floor(tag / 8), tag % 8];
    if (type === 0) {
      const value = next();
      if (value === undefined) return undefined;
      if (field === 2) expiresAtSeconds = value;
      continue;
    }
    const length = type === 2 ? next() : type === 1 ? 8 : type === 5 ? 4 : undefined;
    if (length === undefined || at + length > bytes.length) return undefined;
    if (type === 2 && field === 1) address = bytes.toString("latin1", at, at + length);
    at += length;
  }
  return { address, expiresAtSeconds };
}
