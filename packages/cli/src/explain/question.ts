import { isIP } from "node:net";
import { UserError } from "@weft/base/errors";

/** One call that somebody asks about. */
export interface Question {
  /** A workload, as `MeshReader.findWorkloads` understands it. */
  readonly from: string;
  readonly scheme: "http" | "https" | "tcp";
  readonly host: string;
  readonly port: number;
  /** With its query; "" where nothing of the call is seen. */
  readonly path: string;
  readonly method: string;
  /** Flat: name in lower case, then value. */
  readonly headers: readonly string[];
  /** Where it arrived at the caller's proxy, where that is known; else what the name resolves to. */
  readonly arrived?: { readonly address: string; readonly port: number };
}

const schemePorts = { http: 80, https: 443, tcp: undefined } as const;

/**
 * Reads `--from`, `--to`, `-X` and `-H`. `http` is a request that proxies see;
 * `https` the application's own TLS, of which they see the server name; `tcp`
 * bytes.
 *
 * @throws UserError for what is no call.
 */
export function parseQuestion(
  from: string,
  to: string,
  options: { readonly method?: string; readonly headers?: readonly string[] } = {},
): Question {
  const text = to.includes("://") ? to : `http://${to}`;
  const parts = /^(http|https|tcp):\/\/(\[[^\]]+\]|[^/?#:[\]]+)(?::(\d{1,5}))?(\/[^#]*|\?[^#]*)?$/i.exec(
    text,
  );
  const scheme = parts?.[1]?.toLowerCase() as Question["scheme"] | undefined;
  const port = parts?.[3] === undefined ? scheme && schemePorts[scheme] : Number(parts[3]);
  if (!parts || !scheme || port === undefined || port < 1 || port > 65535) {
    throw wrong(`--to ${to} is no address of a service`, "write for example http://reviews:9080/reviews/1");
  }
  const rest = parts[4] ?? "/";
  const written = parts[2]!.replace(/^\[|\]$/g, "");
  if (parts[2]!.startsWith("[") && (isIP(written) !== 6 || written.includes("%"))) {
    throw wrong(`${parts[2]} is no IPv6 address`, "");
  }
  const host = isIP(written) === 6 ? new URL(`http://[${written}]`).hostname.slice(1, -1) : written;
  const method = options.method ?? "GET";
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}$/.test(method)) throw wrong(`${method} is no method`, "");
  return {
    from,
    scheme,
    host,
    port,
    path: rest.startsWith("/") ? rest : `/${rest}`,
    method,
    headers: (options.headers ?? []).flatMap(parseHeader),
  };
}

/** The authority of the request: without the port that its scheme implies. */
export function authorityOf({ scheme, host, port }: Question): string {
  const literal = host.includes(":") ? `[${host}]` : host;
  return port === schemePorts[scheme] ? literal : `${literal}:${port}`;
}

export function urlOf(question: Question): string {
  return `${question.scheme}://${authorityOf(question)}${question.path}`;
}

function parseHeader(text: string): [name: string, value: string] {
  const colon = text.indexOf(":", 1);
  const name = text.slice(0, colon).trim().toLowerCase();
  const value = text.slice(colon + 1).trim();
  if (colon < 0 || !/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name) || /[\0\r\n]/.test(value)) {
    throw wrong(`-H ${JSON.stringify(text)} is no header`, "write for example -H 'end-user: jason'");
  }
  return [name, value];
}

function wrong(message: string, hint: string): UserError {
  return new UserError(message, { ...(hint && { hint }), exitCode: 2 });
}
