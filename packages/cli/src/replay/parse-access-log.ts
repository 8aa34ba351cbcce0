/** What one line of an access log says of a request. */
export interface LoggedCall {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly status: number;
  /** Envoy's response flags and code details; "" where there are none. */
  readonly flags: string;
  readonly details: string;
  /** "" where there is none. */
  readonly requestId: string;
  /** `outbound|9080|v1|host`, `inbound|9080||`; "" where none was chosen. */
  readonly cluster: string;
  /** Where the request arrived, and from where: `address:port`. */
  readonly local: string;
  readonly remote: string;
  readonly userAgent: string;
}

/** Longer lines are no access log's. */
const maxLineLength = 64 * 1024;

/**
 * Reads a line in Istio's text format, which is Weft's own, or in its JSON
 * encoding; undefined for what is neither, and for connections without requests.
 */
export function parseAccessLogLine(line: string): LoggedCall | undefined {
  if (line.length > maxLineLength) return undefined;
  const call = line.trimStart().startsWith("{") ? parseJson(line) : parseText(line);
  if (!call || !/^[A-Z]{1,20}$/.test(call.method) || !call.path.startsWith("/") || call.authority === "") {
    return undefined;
  }
  return call;
}

/** Values between quotes, or words: the format has no escapes, and no field of it holds a quote. */
const values = /"([^"]*)"|\[([^\]]*)\]|(\S+)/g;

function parseText(line: string): LoggedCall | undefined {
  const found = [...line.matchAll(values)].map(
    ([, quoted, bracketed, word]) => quoted ?? bracketed ?? word ?? "",
  );
  if (found.length < 21) return undefined;
  const [, request = "", status = "", flags, details] = found;
  const [method = "", path = ""] = request.split(" ");
  const [, userAgent, requestId, authority, , cluster, , local, remote] = found.slice(11);
  return {
    method,
    path,
    status: Number(status) || 0,
    flags: known(flags),
    details: known(details),
    userAgent: known(userAgent),
    requestId: known(requestId),
    authority: known(authority),
    cluster: known(cluster),
    local: known(local),
    remote: known(remote),
  };
}

function parseJson(line: string): LoggedCall | undefined {
  let fields: Readonly<Record<string, unknown>>;
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== "object" || value === null) return undefined;
    fields = value as Record<string, unknown>;
  } catch {
    return undefined;
  }
  const text = (name: string) => known(typeof fields[name] === "string" ? fields[name] : undefined);
  return {
    method: text("method"),
    path: text("path"),
    status: Number(fields.response_code) || 0,
    flags: text("response_flags"),
    details: text("response_code_details"),
    userAgent: text("user_agent"),
    requestId: text("request_id"),
    authority: text("authority"),
    cluster: text("upstream_cluster"),
    local: text("downstream_local_address"),
    remote: text("downstream_remote_address"),
  };
}

/** What is missing is written `-`. */
function known(value: string | undefined): string {
  return value === undefined || value === "-" ? "" : value;
}
