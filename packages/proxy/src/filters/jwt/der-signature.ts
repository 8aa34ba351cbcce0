/**
 * An ECDSA signature of JOSE, two numbers of equal length, as OpenSSL reads it.
 * Node converts too, for a third of what a verification costs.
 *
 * @see RFC 7518 §3.4, RFC 3279 §2.2.3
 */
export function derSignature(joined: Uint8Array): Uint8Array {
  const half = joined.length >> 1;
  const r = integer(joined.subarray(0, half));
  const s = integer(joined.subarray(half));
  const length = r.length + s.length;
  const head = length < 0x80 ? [0x30, length] : [0x30, 0x81, length];
  const der = new Uint8Array(head.length + length);
  der.set(head);
  der.set(r, head.length);
  der.set(s, head.length + r.length);
  return der;
}

/** Without leading zeros, but one where it would read as negative. */
function integer(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
  const pad = bytes[start]! >= 0x80 ? 1 : 0;
  const size = bytes.length - start + pad;
  const out = new Uint8Array(2 + size);
  out[0] = 0x02;
  out[1] = size;
  out.set(bytes.subarray(start), 2 + pad);
  return out;
}
