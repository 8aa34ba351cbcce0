import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { it } from "node:test";
import { parsePublicKeys } from "../config/public-keys.ts";
import { nobodysKey } from "./jwt-authentication.ts";

/** P-256: y² = x³ - 3x + b over the field of p. @see FIPS 186-4 D.1.2.3 */
const p = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
const b = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let square = base % p, left = exponent; left > 0n; left >>= 1n, square = (square * square) % p) {
    if (left & 1n) result = (result * square) % p;
  }
  return result;
}

/** The first hash that is the x of a point: who made it knows no private key, and neither does anyone else. */
function firstPoint(): { x: string; y: string } {
  for (let n = 0; ; n++) {
    const hash = createHash("sha256").update(`weft: no issuer's key ${n}`).digest();
    const x = BigInt(`0x${hash.toString("hex")}`);
    const square = (((x * x * x - 3n * x + b) % p) + p) % p;
    const y = power(square, (p + 1n) / 4n);
    if (x >= p || (y * y) % p !== square) continue;
    const bytes = Buffer.from(y.toString(16).padStart(64, "0"), "hex");
    return { x: hash.toString("base64url"), y: bytes.toString("base64url") };
  }
}

it("the key that stands in for unknown ones is made from a hash, so that nobody has its private part", () => {
  const [key] = (JSON.parse(parsePublicKeys(nobodysKey).text) as { keys: { x: string; y: string }[] }).keys;
  assert.deepEqual({ x: key!.x, y: key!.y }, firstPoint());
});
