import { createHash } from "node:crypto";

/** One resource as it was accepted: still encoded, and not trusted more than one from a server. */
export interface KeptResource {
  readonly type: string;
  /** Where it came from, as `SecretRef.source` names it. */
  readonly source: string;
  readonly name: string;
  readonly version: string;
  readonly body: Uint8Array;
}

/** The type of an entry that is a name alone: a cluster that was asked for on demand, to be asked for at the next start. */
export const wantedClusterType = "weft.v1.WantedCluster";

export interface KeptConfig {
  /** Wall-clock time of writing, in milliseconds since the epoch. */
  readonly writtenMs: number;
  readonly resources: readonly KeptResource[];
}

const format = "weft-kept-config-1";
const encoding = "base64";

/**
 * The text of a file of kept configuration: a line that says what follows, for
 * whom and with which SHA-256, then one line of JSON for each resource.
 */
export function formatKept(owner: string, { writtenMs, resources }: KeptConfig): string {
  const lines = resources.map(({ type, source, name, version, body }) =>
    JSON.stringify([type, source, name, version, Buffer.from(body).toString(encoding)]),
  );
  const body = lines.join("\n");
  const header = { format, owner, writtenMs, count: lines.length, sha256: digest(body) };
  return `${JSON.stringify(header)}\n${body}\n`;
}

/** Reads what `formatKept` wrote. @throws Error that says why the text cannot be used */
export function parseKept(text: string, owner: string): KeptConfig {
  const end = text.indexOf("\n");
  const header = parseHeader(text.slice(0, Math.max(end, 0)));
  if (header.owner !== owner) throw new Error("it is for another node or management server");
  const body = text.slice(end + 1, -1);
  if (digest(body) !== header.sha256) throw new Error("its checksum is wrong");
  const lines = body === "" ? [] : body.split("\n");
  return { writtenMs: header.writtenMs, resources: lines.map(parseResource) };
}

interface Header {
  readonly owner: string;
  readonly writtenMs: number;
  readonly sha256: string;
}

function parseHeader(line: string): Header {
  let header: Partial<Header & { readonly format: string }>;
  try {
    header = JSON.parse(line) ?? {};
  } catch {
    throw new Error("it does not begin with a header");
  }
  const { owner, writtenMs, sha256 } = header;
  if (header.format !== format) throw new Error("it is of another format");
  if (typeof owner !== "string" || typeof sha256 !== "string" || !Number.isFinite(writtenMs)) {
    throw new Error("its header is incomplete");
  }
  return { owner, writtenMs: writtenMs!, sha256 };
}

function parseResource(line: string): KeptResource {
  const fields: unknown = JSON.parse(line);
  if (!Array.isArray(fields) || fields.length !== 5 || fields.some((field) => typeof field !== "string")) {
    throw new Error("a line of it is not a resource");
  }
  const [type, source, name, version, body] = fields as [string, string, string, string, string];
  return { type, source, name, version, body: Buffer.from(body, encoding) };
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest(encoding);
}
