import { checkFilters } from "./check-route-filters.ts";
import { checkBackend, checkRoute, checkValueMatches } from "./check-routes.ts";
import { checkSessionPersistence } from "./check-session-persistence.ts";
import type { Finding } from "./finding.ts";
import type { HttpRouteResourceSpec, HttpRuleSpec, PathMatchSpec } from "./gateway-api-specs.ts";
import { parseDurationMs } from "./values.ts";

/** What the Gateway API's published rules say of an HTTPRoute, beyond the types of its fields. */
export function checkHttpRoute(spec: HttpRouteResourceSpec, find: Finding): void {
  checkRoute(spec, find);
  spec.rules?.forEach((rule, i) => {
    checkRule(rule, `spec.rules[${i}]`, find);
  });
}

function checkRule(rule: HttpRuleSpec, path: string, find: Finding): void {
  const { matches, filters = [], backendRefs = [], timeouts } = rule;
  matches?.forEach((match, i) => {
    const at = `${path}.matches[${i}]`;
    checkPath(match.path, `${at}.path`, find);
    checkValueMatches(match.headers, `${at}.headers`, find);
    checkValueMatches(match.queryParams, `${at}.queryParams`, find);
  });
  const paths = (matches ?? [{}]).map((match) => match.path);
  checkFilters(filters, `${path}.filters`, paths, find);
  if (backendRefs.length > 0 && filters.some(({ type }) => type === "RequestRedirect")) {
    const message = `${path} redirects and has backendRefs`;
    find.error("W1106", `${path}.backendRefs`, message, "remove one of them");
  }
  backendRefs.forEach((backend, i) => {
    const at = `${path}.backendRefs[${i}]`;
    checkBackend(backend, at, find);
    const own = backend.filters ?? [];
    checkFilters(own, `${at}.filters`, paths, find);
    if (!own.some(({ type }) => type === "RequestRedirect")) return;
    if (filters.some(({ type }) => type === "URLRewrite")) {
      const message = `${at} redirects what its rule rewrites`;
      find.error("W1106", `${at}.filters`, message, "write the path that is meant in the redirect");
    }
    if (filters.some(({ type }) => type === "RequestMirror")) {
      find.warning("W1301", `${at}.filters`, `${at}: requests that are redirected are not copied`);
    }
  });
  checkSessionPersistence(rule, path, find);
  const requestMs = parseDurationMs(timeouts?.request ?? "0") ?? 0;
  const backendMs = parseDurationMs(timeouts?.backendRequest ?? "0") ?? 0;
  if (requestMs > 0 && backendMs > requestMs) {
    const at = `${path}.timeouts.backendRequest`;
    find.error("W1201", at, `${at} is longer than the request's`, `at most ${timeouts?.request}`);
  }
}

const plainPath = /^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})+$/;

/** A path that no normalisation would change, as requests have it when they are matched. */
function checkPath(path: PathMatchSpec | undefined, at: string, find: Finding): void {
  if (path?.value === undefined) return;
  const { type = "PathPrefix", value } = path;
  if (type === "RegularExpression") {
    find.regex(`${at}.value`, value);
    return;
  }
  const problem = !value.startsWith("/")
    ? "does not begin with /"
    : /\/\/|\/\.\.?(\/|$)/.test(value)
      ? "contains //, /./ or /../"
      : /%2f/i.test(value)
        ? "contains an escaped slash"
        : plainPath.test(value)
          ? undefined
          : "contains a character that no path has";
  if (problem) find.error("W1105", `${at}.value`, `${at}.value ${problem}`);
}
