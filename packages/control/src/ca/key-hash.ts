import { createHash } from "node:crypto";

/** How the audit log names a key: the SHA-256 of its SubjectPublicKeyInfo, hexadecimal. */
export function keyHash(spki: Buffer): string {
  return createHash("sha256").update(spki).digest("hex");
}
