import type { RequestHead } from "../layer/message.ts";
import { pathEnd } from "./path-matcher.ts";
import type { PathRewrite } from "./path-rewrite.ts";

/** @see envoy.config.route.v3.RedirectAction */
export interface RedirectSpec {
  /** Undefined keeps the request's scheme. */
  readonly scheme: string | undefined;
  readonly host: string | undefined;
  readonly port: number | undefined;
  /** Replaces the path; the query is kept unless it brings one of its own. */
  readonly path: string | undefined;
  readonly rewrite: PathRewrite | undefined;
  readonly stripQuery: boolean;
}

/** Compiles the `location` of a redirect, in Envoy's form: always absolute. */
export function compileRedirect(spec: RedirectSpec): (request: RequestHead) => string {
  return (request) => {
    const scheme = spec.scheme ?? request.headers.get("x-forwarded-proto") ?? request.scheme;
    const host = spec.host ?? requestHost(request, scheme, spec.port !== undefined);
    const port = spec.port === undefined ? "" : `:${spec.port}`;
    return `${scheme}://${host}${port}${newPath(spec, request.path)}`;
  };
}

function newPath(spec: RedirectSpec, path: string): string {
  const end = pathEnd(path);
  if (spec.path !== undefined) {
    if (spec.stripQuery || spec.path.includes("?")) return spec.path;
    return spec.path + path.slice(end);
  }
  const kept = spec.stripQuery ? path.slice(0, end) : path;
  return spec.rewrite ? spec.rewrite(kept) : kept;
}

/** The request's authority, without its port where the redirect brings another, or where it was the default of the scheme that is left. */
function requestHost(request: RequestHead, scheme: string, hasPort: boolean): string {
  const { authority } = request;
  const bracket = authority.lastIndexOf("]");
  const colon = authority.indexOf(":", Math.max(bracket, 0));
  if (colon < 0) return authority;
  const port = authority.slice(colon + 1);
  const current = request.headers.get("x-forwarded-proto") ?? request.scheme;
  const isDefault = (current === "http" && port === "80") || (current === "https" && port === "443");
  return hasPort || (scheme !== current && isDefault) ? authority.slice(0, colon) : authority;
}
