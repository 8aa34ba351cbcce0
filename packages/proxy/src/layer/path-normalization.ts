import type { HttpConnectionPlan } from "../listener/listener-plan.ts";

export type PathResult =
  | { readonly kind: "forward"; readonly path: string }
  | { readonly kind: "redirect"; readonly path: string }
  | { readonly kind: "reject" };

const suspicious = /%|\/\.|\/\/|[\\"<>^`{|}]/;
/** What may not stand in a path as it is. @see RFC 3986 §3.3 */
const unescaped = /["<>^`{|}]/g;
const unreserved = /%(?:2[DdEe]|3[0-9]|4[1-9A-Fa-f]|5[0-9AaFf]|6[1-9A-Fa-f]|7[0-9AaEe])/g;
const escapedSlash = /%2f|%5c/i;

/**
 * Brings a path into the one form every policy, route and upstream then sees:
 * what two parties could read differently is resolved or refused here, before
 * any decision is taken on it.
 *
 * Dot segments are removed, `%`-escapes of unreserved characters are decoded
 * and backslashes count as slashes (RFC 3986 §6.2.2). The query is untouched.
 */
export function normalizePath(path: string, plan: HttpConnectionPlan): PathResult {
  if (!suspicious.test(path) || path.charCodeAt(0) !== 47) return { kind: "forward", path };
  const queryAt = path.indexOf("?");
  const query = queryAt < 0 ? "" : path.slice(queryAt);
  let plain = queryAt < 0 ? path : path.slice(0, queryAt);
  let redirects = false;
  if (plan.escapedSlashes !== "keep" && escapedSlash.test(plain)) {
    if (plan.escapedSlashes === "reject") return { kind: "reject" };
    plain = plain.replace(/%2f/gi, "/").replace(/%5c/gi, "\\");
    redirects = plan.escapedSlashes === "redirect";
  }
  if (plan.normalizePath) {
    if (/%00/.test(plain)) return { kind: "reject" };
    plain = removeDotSegments(plain.replace(unreserved, decodeEscape).replaceAll("\\", "/"));
    plain = plain.replace(unescaped, encodeEscape);
  }
  if (plan.mergeSlashes) plain = plain.replace(/\/{2,}/g, "/");
  return { kind: redirects ? "redirect" : "forward", path: plain + query };
}

function decodeEscape(triplet: string): string {
  return String.fromCharCode(Number.parseInt(triplet.slice(1), 16));
}

function encodeEscape(char: string): string {
  return `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
}

/** RFC 3986 §5.2.4; an empty segment is a segment like any other. */
function removeDotSegments(path: string): string {
  if (!path.includes("/.")) return path;
  const segments = path.split("/").slice(1);
  const kept: string[] = [];
  segments.forEach((segment, i) => {
    const isLast = i === segments.length - 1;
    if (segment === "..") {
      kept.pop();
      if (isLast) kept.push("");
    } else if (segment === ".") {
      if (isLast) kept.push("");
    } else kept.push(segment);
  });
  return `/${kept.join("/")}`;
}
