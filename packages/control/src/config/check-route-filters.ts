import { checkBackend, checkMirror } from "./check-routes.ts";
import type { Finding } from "./finding.ts";
import type {
  CorsFilterSpec,
  ExternalAuthSpec,
  HeaderFilterSpec,
  HttpFilterSpec,
  PathMatchSpec,
  PathModifierSpec,
} from "./gateway-api-specs.ts";

/** The field that a type of filter is written in. */
const fieldOf: Readonly<Record<string, string>> = {
  RequestHeaderModifier: "requestHeaderModifier",
  ResponseHeaderModifier: "responseHeaderModifier",
  RequestRedirect: "requestRedirect",
  URLRewrite: "urlRewrite",
  RequestMirror: "requestMirror",
  CORS: "cors",
  ExtensionRef: "extensionRef",
  ExternalAuth: "externalAuth",
};

/** Types that may stand in a list more than once. */
const repeatable = new Set(["RequestMirror", "ExtensionRef", "ExternalAuth"]);

/** The filters of one rule, or of one backend, by the published rules. `paths` are those that lead to them. */
export function checkFilters(
  filters: readonly HttpFilterSpec[],
  path: string,
  paths: readonly (PathMatchSpec | undefined)[],
  find: Finding,
): void {
  const types = filters.map(({ type }) => type);
  if (types.includes("RequestRedirect") && types.includes("URLRewrite")) {
    find.error("W1106", path, `${path} redirects and rewrites at once`, "remove one of them");
  }
  if (types.includes("RequestRedirect") && types.includes("RequestMirror")) {
    find.warning("W1301", path, `${path}: requests that are redirected are not copied`);
  }
  filters.forEach((filter, i) => {
    const at = `${path}[${i}]`;
    if (!repeatable.has(filter.type) && types.indexOf(filter.type) !== i) {
      find.error("W1106", at, `${at} is a second ${filter.type}`, "write one");
    }
    for (const [type, field] of Object.entries(fieldOf)) {
      const isWritten = Object.hasOwn(filter, field);
      if (isWritten === (type === filter.type)) continue;
      if (isWritten) {
        find.error("W1106", `${at}.${field}`, `${at} is a ${filter.type}: it has no ${field}`, "remove it");
      } else find.error("W1104", at, `${at}.${field} is missing`, `a ${type} is written there`);
    }
    checkHeaderFilter(filter.requestHeaderModifier, `${at}.requestHeaderModifier`, find);
    checkHeaderFilter(filter.responseHeaderModifier, `${at}.responseHeaderModifier`, find);
    checkPathModifier(filter.requestRedirect?.path, `${at}.requestRedirect.path`, paths, find);
    checkPathModifier(filter.urlRewrite?.path, `${at}.urlRewrite.path`, paths, find);
    if (filter.requestMirror) checkMirror(filter.requestMirror, `${at}.requestMirror`, find);
    if (filter.cors) checkCors(filter.cors, `${at}.cors`, find);
    if (filter.externalAuth) checkExternalAuth(filter.externalAuth, `${at}.externalAuth`, find);
  });
}

/** What a name of a field is (RFC 9110 §5.1), without the star that means any name elsewhere. */
const fieldName = /^[A-Za-z0-9!#$%&'+\-.^_`|~]+$/;

function checkExternalAuth(spec: ExternalAuthSpec, path: string, find: Finding): void {
  checkBackend(spec.backendRef, `${path}.backendRef`, find);
  for (const [protocol, field] of [
    ["HTTP", "http"],
    ["GRPC", "grpc"],
  ] as const) {
    const isWritten = spec[field] !== undefined;
    if (isWritten === (spec.protocol === protocol)) continue;
    if (isWritten) {
      const message = `${path}.${field} is for protocol ${protocol}`;
      find.error("W1106", `${path}.${field}`, message, `write protocol: ${protocol}, or remove it`);
    } else
      find.error("W1104", path, `${path}.${field} is missing`, `protocol ${protocol} needs it: {} will do`);
  }
  const lists = {
    "grpc.allowedHeaders": spec.grpc?.allowedHeaders,
    "http.allowedHeaders": spec.http?.allowedHeaders,
    "http.allowedResponseHeaders": spec.http?.allowedResponseHeaders,
  };
  for (const [field, names] of Object.entries(lists)) {
    names?.forEach((name, i) => {
      if (fieldName.test(name)) return;
      const at = `${path}.${field}[${i}]`;
      find.error("W1105", at, `${at}: "${name}" is not the name of a header`);
    });
  }
  const prefix = spec.http?.path ?? "";
  if (prefix === "" || /^\/(?!\/)(?!.*\/\.{0,2}(\/|$))/.test(prefix)) return;
  const hint = "begin with /, and end without one";
  find.error("W1105", `${path}.http.path`, `${path}.http.path: "${prefix}" cannot go before a path`, hint);
}

export function checkHeaderFilter(filter: HeaderFilterSpec | undefined, path: string, find: Finding): void {
  const host = (name: string, at: string) => {
    if (name.toLowerCase() !== "host") return;
    find.error("W1206", at, `${at}: the host is not changed as a header`, "write urlRewrite.hostname");
  };
  for (const operation of ["set", "add"] as const) {
    filter?.[operation]?.forEach(({ name, value }, i) => {
      const at = `${path}.${operation}[${i}]`;
      host(name, `${at}.name`);
      if (/[\0\r\n]/.test(value)) {
        find.error("W1206", `${at}.value`, `${at}.value contains a line break or NUL`);
      }
    });
  }
  filter?.remove?.forEach((name, i) => {
    host(name, `${path}.remove[${i}]`);
  });
}

/** A prefix can be replaced where exactly one leads to the rule. */
function checkPathModifier(
  modifier: PathModifierSpec | undefined,
  path: string,
  paths: readonly (PathMatchSpec | undefined)[],
  find: Finding,
): void {
  if (!modifier) return;
  const fields = { ReplaceFullPath: "replaceFullPath", ReplacePrefixMatch: "replacePrefixMatch" } as const;
  for (const [type, field] of Object.entries(fields)) {
    const isWritten = modifier[field] !== undefined;
    if (isWritten === (type === modifier.type)) continue;
    if (isWritten) {
      find.error("W1106", `${path}.${field}`, `${path}.${field}: ${modifier.type} has no such field`);
    } else find.error("W1104", path, `${path}.${field} is missing`, `a ${type} is written there`);
  }
  if (modifier.type !== "ReplacePrefixMatch") return;
  if (paths.length === 1 && (paths[0]?.type ?? "PathPrefix") === "PathPrefix") return;
  const message = `${path}: it is not clear which prefix is replaced`;
  find.error("W1106", path, message, "give the rule one match, with a path of type PathPrefix");
}

function checkCors(cors: CorsFilterSpec, path: string, find: Finding): void {
  for (const field of ["allowOrigins", "allowMethods", "allowHeaders"] as const) {
    const values = cors[field] ?? [];
    if (values.length < 2 || !values.includes("*")) continue;
    find.error("W1106", `${path}.${field}`, `${path}.${field} has "*" beside others`, "remove the others");
  }
  if (!cors.allowCredentials) return;
  // Browsers take "*" literally then, and a proxy cannot answer with what was asked for.
  for (const field of ["allowHeaders", "exposeHeaders"] as const) {
    if (!cors[field]?.includes("*")) continue;
    const of = path.replaceAll(/\[\d+\]/g, "[]");
    const message = `HTTPRoute.${of}.${field} "*" with allowCredentials is not supported yet: name the headers`;
    find.error("W1302", `${path}.${field}`, message, "remove it to accept the rest");
  }
}
