import type {
  CorsFilterSpec,
  HeaderFilterSpec,
  HttpFilterSpec,
  PathModifierSpec,
  RequestMirrorSpec,
  RequestRedirectSpec,
} from "../../config/gateway-api-specs.ts";
import type {
  Cors,
  HeaderEdits,
  HeaderOperations,
  HeaderValue,
  PathEdit,
  RedirectAction,
  ValueMatcher,
} from "../routing.ts";

/** The edits that header filters ask for. */
export function headerEdits(filters: readonly HttpFilterSpec[]): HeaderEdits {
  const find = (field: "requestHeaderModifier" | "responseHeaderModifier") =>
    filters.find((filter) => filter[field])?.[field];
  return {
    request: headerOperations(find("requestHeaderModifier")),
    response: headerOperations(find("responseHeaderModifier")),
  };
}

/** Of entries with the same name the first counts. Values mean themselves, operators among them too. */
function headerOperations(spec: HeaderFilterSpec | undefined): HeaderOperations {
  const values = (list: readonly HeaderValue[] = []) => {
    const byName = new Map<string, HeaderValue>();
    for (const { name, value } of list) {
      const key = name.toLowerCase();
      if (!byName.has(key)) byName.set(key, { name, value: value.replaceAll("%", "%%") });
    }
    return [...byName.values()];
  };
  return { set: values(spec?.set), add: values(spec?.add), remove: spec?.remove ?? [] };
}

/** What two edits do one after the other, as one. In one edit headers are removed before others are set. */
export function thenEdit(first: HeaderEdits, then: HeaderEdits): HeaderEdits {
  return {
    request: thenOperate(first.request, then.request),
    response: thenOperate(first.response, then.response),
  };
}

function thenOperate(first: HeaderOperations, then: HeaderOperations): HeaderOperations {
  const gone = new Set(
    [...then.remove, ...then.set.map(({ name }) => name)].map((name) => name.toLowerCase()),
  );
  const kept = (list: readonly HeaderValue[]) => list.filter(({ name }) => !gone.has(name.toLowerCase()));
  return {
    set: [...kept(first.set), ...then.set],
    add: [...kept(first.add), ...then.add],
    remove: [...first.remove, ...then.remove],
  };
}

/** `matched` is the only prefix that leads here, where one is replaced. */
export function pathEdit(spec: PathModifierSpec | undefined, matched: string): PathEdit | undefined {
  if (!spec) return undefined;
  return spec.type === "ReplaceFullPath"
    ? { kind: "full", path: spec.replaceFullPath! }
    : { kind: "prefix", matched, replacement: spec.replacePrefixMatch! };
}

/** The port is the written one, else the scheme's, else the one that was called. */
export function redirectAction(spec: RequestRedirectSpec, matched: string): RedirectAction {
  const { scheme, hostname, port, statusCode = 302 } = spec;
  return {
    kind: "redirect",
    status: statusCode,
    path: undefined,
    pathPrefix: undefined,
    pathEdit: pathEdit(spec.path, matched),
    authority: hostname,
    scheme,
    port:
      port ?? (scheme !== undefined ? "protocol-default" : hostname === undefined ? undefined : "request"),
    omitsDefaultPort: true,
  };
}

export function mirrorPercent({ percent, fraction }: RequestMirrorSpec): number {
  if (!fraction) return percent ?? 100;
  return (fraction.numerator / (fraction.denominator ?? 100)) * 100;
}

const methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/** Preflights of origins that are not among those named are answered too, without a permission. */
export function corsOf(spec: CorsFilterSpec): Cors {
  const { allowMethods = [], allowCredentials = false } = spec;
  return {
    origins: (spec.allowOrigins ?? []).map(originMatcher),
    // With credentials browsers take "*" literally.
    methods: allowCredentials && allowMethods.includes("*") ? methods : allowMethods,
    headers: spec.allowHeaders ?? [],
    exposedHeaders: spec.exposeHeaders ?? [],
    maxAgeSeconds: spec.maxAge ?? 5,
    allowsCredentials: allowCredentials,
    forwardsUnmatchedPreflights: false,
  };
}

/** `*` alone is every origin; in a host it stands for one or more labels. */
function originMatcher(origin: string): ValueMatcher {
  if (origin === "*") return { kind: "regex", value: ".*" };
  if (!origin.includes("*")) return { kind: "exact", value: origin };
  const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return { kind: "regex", value: origin.split("*").map(literal).join("[^/:]+") };
}
