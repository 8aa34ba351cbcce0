import { createHash, randomBytes } from "node:crypto";

/** What a workload joins the mesh with. `secret` is a secret: it appears in no log and is stored nowhere. */
export interface JoinToken {
  /** Names the token in lists and logs. */
  readonly id: string;
  readonly secret: string;
  /** SPKI pin of the root the control plane's chain ends in. */
  readonly pin: string;
}

/** Text that is no join token. The message never repeats the text: it may hold a secret. */
export class JoinTokenError extends Error {
  override readonly name = "JoinTokenError";
}

const version = "weft-join-v1";
const pattern = /^weft-join-v1\.([0-9a-f]{16})\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})$/;
const maxLength = 256;

/** A token with 256 random bits. */
export function newJoinToken(pin: string): JoinToken {
  return { id: randomBytes(8).toString("hex"), secret: randomBytes(32).toString("base64url"), pin };
}

export function formatJoinToken(token: JoinToken): string {
  return [version, token.id, token.secret, token.pin].join(".");
}

/** Surrounding white space is allowed, as files end with a newline. @throws JoinTokenError */
export function parseJoinToken(text: string): JoinToken {
  const trimmed = text.length > maxLength ? "" : text.trim();
  const match = pattern.exec(trimmed);
  if (match) return { id: match[1]!, secret: match[2]!, pin: match[3]! };
  if (/^weft-join-v(?!1\.)/.test(trimmed))
    throw new JoinTokenError(`this version of Weft reads only ${version} tokens`);
  if (trimmed.startsWith(`${version}.`)) throw new JoinTokenError("the join token is cut off or changed");
  throw new JoinTokenError(`this is not a join token (${version}...)`);
}

/** What is stored of a token. A plain hash suffices: 256 random bits cannot be guessed. */
export function hashJoinToken(token: Pick<JoinToken, "id" | "secret">): Buffer {
  return createHash("sha256").update(`${version}.${token.id}.${token.secret}`).digest();
}
