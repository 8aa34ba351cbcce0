import { isIP } from "node:net";
import { RE2JS } from "re2js";

/** `1h30m`, `0.5s`, `250ms` in milliseconds, or undefined when it is not a duration. */
export function parseDurationMs(text: string): number | undefined {
  const units: Record<string, number> = {
    ns: 1e-6,
    us: 1e-3,
    µs: 1e-3,
    ms: 1,
    s: 1000,
    m: 60_000,
    h: 3_600_000,
  };
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return text === "0" ? 0 : undefined;
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) {
    totalMs += Number(amount) * units[unit!]!;
  }
  return totalMs <= 1e12 ? totalMs : undefined;
}

/** `a, b` as names; undefined when nothing is written. */
export function parseNameList(text: string | undefined): readonly string[] | undefined {
  return text?.split(",").map((name) => name.trim());
}

/** `self` is the workload's own address. */
export type DefaultEndpointHost = "127.0.0.1" | "::1" | "self over IPv4" | "self over IPv6";

/** Where the application behind a Sidecar's ingress listener is. */
export type DefaultEndpoint =
  | { readonly kind: "ip"; readonly address: DefaultEndpointHost; readonly port: number }
  | { readonly kind: "pipe"; readonly path: string };

/** Undefined where it is not one of the forms that Istio takes. */
export function parseDefaultEndpoint(text: string): DefaultEndpoint | undefined {
  if (text.startsWith("unix://")) {
    const path = text.slice("unix://".length);
    return /^(\/|@)./.test(path) && path.length <= 107 ? { kind: "pipe", path } : undefined;
  }
  const colon = text.lastIndexOf(":");
  const address = endpointHosts[text.slice(0, Math.max(colon, 0))];
  const port = Number(text.slice(colon + 1));
  if (colon < 0 || !address || !/^\d{1,5}$/.test(text.slice(colon + 1))) return undefined;
  return port >= 1 && port <= 65535 ? { kind: "ip", address, port } : undefined;
}

const endpointHosts: Readonly<Record<string, DefaultEndpointHost>> = {
  "": "127.0.0.1",
  "127.0.0.1": "127.0.0.1",
  "0.0.0.0": "self over IPv4",
  "[::1]": "::1",
  "[::]": "self over IPv6",
};

/** Why a pattern is not RE2, or undefined when it is. */
export function regexProblem(pattern: string): string | undefined {
  if (pattern.length > 1024) return `has ${pattern.length} characters; at most 1024 are accepted`;
  try {
    RE2JS.compile(pattern);
    return undefined;
  } catch (cause) {
    return `is not a regular expression in RE2 syntax: ${cause instanceof Error ? cause.message : cause}`;
  }
}

const label = /^[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?$/i;

/** A DNS name, a short name, or either after `*.`; `*` alone. */
export function isHostPattern(host: string): boolean {
  if (host === "*") return true;
  const name = host.startsWith("*.") ? host.slice(2) : host;
  return name.length > 0 && name.length <= 253 && name.split(".").every((part) => label.test(part));
}

export function isDnsLabel(name: string): boolean {
  return /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name);
}

/** How a VirtualService names a Gateway: by its name, by `namespace/name` (`.` is its own), or as `name.namespace…`. */
export function isGatewayName(name: string): boolean {
  const slash = name.indexOf("/");
  if (slash < 0) return isResourceName(name);
  const namespace = name.slice(0, slash);
  return (namespace === "." || isDnsLabel(namespace)) && isResourceName(name.slice(slash + 1));
}

export function isResourceName(name: string): boolean {
  return name.length <= 253 && name.split(".").every(isDnsLabel);
}

/** An address with an optional prefix length. */
export function parseCidr(
  text: string,
): { readonly address: string; readonly prefixLength: number } | undefined {
  const [address = "", length, ...rest] = text.split("/");
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return undefined;
  const most = family === 4 ? 32 : 128;
  if (length === undefined) return { address, prefixLength: most };
  if (!/^\d{1,3}$/.test(length) || Number(length) > most) return undefined;
  return { address, prefixLength: Number(length) };
}

/** Whether it is one IP address, without the zone that an address of a link may have. */
export function isPlainIp(text: string): boolean {
  return isIP(text) !== 0 && !text.includes("%");
}

/** An address as every program writes it (RFC 5952), by which two of them can be compared. @param address one that was checked */
export function canonicalIp(address: string): string {
  return isIP(address) === 6 ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
}

/** An HTTP field name (RFC 9110 token). */
export function isHeaderName(name: string): boolean {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/.test(name);
}

/** Why a header value cannot be written to a request, or undefined. `%…%` are Envoy's command operators. */
export function headerValueProblem(value: string): string | undefined {
  if (/[\0\r\n]/.test(value)) return "contains a line break or NUL";
  if (value.length > 16_384) return "is longer than 16 KiB";
  const left = value.replace(/%%|%[A-Z0-9_]+(\([^()%]*\))?(:\d+)?%/g, "");
  return left.includes("%") ? 'contains a lone "%"; write "%%" for a percent sign' : undefined;
}
