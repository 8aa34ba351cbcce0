import type {
  HttpRuleMatchSpec,
  HttpRuleSpec,
  PathMatchSpec,
  ValueMatchSpec,
} from "../../config/gateway-api-specs.ts";
import type { ResourceOf } from "../../config/resource.ts";
import { parseDurationMs } from "../../config/values.ts";
import { provenanceOf } from "../provenance.ts";
import type {
  CallerMatch,
  ForwardAction,
  HeaderEdits,
  HttpAction,
  HttpDestination,
  HttpMatch,
  HttpRoute,
  Mirror,
  NamedMatcher,
  PathMatcher,
  StringMatcher,
} from "../routing.ts";
import { type BackendLookup, type RefProblem, resolveBackend } from "./backend-refs.ts";
import { corsOf, headerEdits, mirrorPercent, pathEdit, redirectAction, thenEdit } from "./http-filters.ts";
import type { RankedRoute } from "./precedence.ts";

export interface CompiledRules<Route> {
  /** In the order they are written. */
  readonly routes: readonly Route[];
  /** References that lead nowhere. */
  readonly problems: readonly RefProblem[];
}

/** The rules of an HTTPRoute as routes of the model, one for each match, whatever the route is attached to. */
export function httpRules(
  resource: ResourceOf<"HTTPRoute">,
  backends: BackendLookup,
): CompiledRules<RankedRoute> {
  const problems: RefProblem[] = [];
  const rules = resource.spec.rules ?? [{}];
  const routes = rules.flatMap((rule, i) => {
    const path = `spec.rules[${i}]`;
    const name = `${resource.namespace}/${resource.name}/${rule.name ?? i}`;
    const source = provenanceOf(resource, path);
    const parts = httpRule(rule, path, resource.namespace, backends, problems);
    return (rule.matches ?? [{}]).map((match): RankedRoute => {
      const route: HttpRoute = { name, matches: [httpMatch(match)], fault: undefined, ...parts, source };
      return { route, rank: rankOf(match) };
    });
  });
  return { routes, problems };
}

/** By exact path, by pattern, by prefix, the longer first; then by method, number of headers, number of parameters. */
function rankOf({ path, method, headers = [], queryParams = [] }: HttpRuleMatchSpec): number[] {
  const kinds = { Exact: 2, RegularExpression: 1, PathPrefix: 0 };
  const value = path?.value ?? "/";
  const kind = kinds[path?.type ?? "PathPrefix"];
  const length = kind === 0 ? prefixOf(path).length : value.length;
  return [kind, length, method === undefined ? 0 : 1, headers.length, queryParams.length];
}

/** A slash at the end of a prefix means nothing. */
function prefixOf(path: PathMatchSpec | undefined): string {
  const value = path?.value ?? "/";
  return value.endsWith("/") ? value.slice(0, -1) : value;
}

/** Callers are chosen by what a route is attached to, not by its matches. */
export const anyCaller: CallerMatch = { labels: {}, namespace: undefined };

function httpMatch({ path, method, headers = [], queryParams = [] }: HttpRuleMatchSpec): HttpMatch {
  const isHost = ({ name }: ValueMatchSpec) => name.toLowerCase() === "host";
  const host = headers.find(isHost);
  return {
    name: "",
    uri: pathMatcher(path),
    isUriCaseIgnored: false,
    scheme: undefined,
    method: method === undefined ? undefined : { kind: "exact", value: method },
    authority: host && valueMatcher(host),
    headers: namedMatchers(headers.filter((header) => !isHost(header)).map(lowerCase)),
    withoutHeaders: [],
    queryParams: namedMatchers(queryParams),
    port: undefined,
    source: anyCaller,
  };
}

function pathMatcher(path: PathMatchSpec | undefined): PathMatcher | undefined {
  const value = path?.value ?? "/";
  switch (path?.type) {
    case "Exact":
      return { kind: "exact", value };
    case "RegularExpression":
      return { kind: "regex", value };
    default: {
      const prefix = prefixOf(path);
      return prefix === "" ? undefined : { kind: "path-prefix", value: prefix };
    }
  }
}

function lowerCase(match: ValueMatchSpec): ValueMatchSpec {
  return { ...match, name: match.name.toLowerCase() };
}

/** Of matches of the same name the first counts. */
export function namedMatchers(matches: readonly ValueMatchSpec[]): NamedMatcher[] {
  const byName = new Map<string, StringMatcher>();
  for (const match of matches) if (!byName.has(match.name)) byName.set(match.name, valueMatcher(match));
  return [...byName].map(([name, matcher]) => ({ name, matcher }));
}

function valueMatcher({ type, value }: ValueMatchSpec): StringMatcher {
  return { kind: type === "RegularExpression" ? "regex" : "exact", value };
}

/** What becomes of the requests of a rule, whichever of its matches they have. */
function httpRule(
  rule: HttpRuleSpec,
  path: string,
  namespace: string,
  backends: BackendLookup,
  problems: RefProblem[],
): Pick<HttpRoute, "action" | "headers" | "cors"> {
  const filters = rule.filters ?? [];
  const cors = filters.find((filter) => filter.cors)?.cors;
  const own = headerEdits(filters);
  const destinations = (rule.backendRefs ?? []).map((ref, i): HttpDestination => {
    const found = resolveBackend(ref, `${path}.backendRefs[${i}]`, namespace, backends);
    if (found.problem) problems.push(found.problem);
    return { ...found.destination, headers: headerEdits(ref.filters ?? []) };
  });
  const mirrors = filters.flatMap(({ requestMirror }, i): Mirror[] => {
    if (!requestMirror) return [];
    const at = `${path}.filters[${i}].requestMirror.backendRef`;
    const found = resolveBackend(requestMirror.backendRef, at, namespace, backends);
    const percent = mirrorPercent(requestMirror);
    if (found.problem) problems.push(found.problem);
    // Nobody waits for the answer to a copy: one that leads nowhere is none.
    return found.problem || percent === 0 ? [] : [{ destination: found.destination, percent }];
  });
  const edited = editedDestinations(destinations, own);
  return {
    action: httpAction(rule, edited.destinations, mirrors),
    headers: edited.headers,
    cors: cors && corsOf(cors),
  };
}

/** A rule's edits come before those of its backends: where one of these has some, each has both. */
function editedDestinations(
  destinations: readonly HttpDestination[],
  headers: HeaderEdits,
): { readonly destinations: readonly HttpDestination[]; readonly headers: HeaderEdits } {
  const isEdited = ({ request, response }: HeaderEdits) =>
    [request, response].some(({ set, add, remove }) => set.length + add.length + remove.length > 0);
  if (!destinations.some((destination) => isEdited(destination.headers))) return { destinations, headers };
  return {
    destinations: destinations.map((destination) => ({
      ...destination,
      headers: thenEdit(headers, destination.headers),
    })),
    headers: headerEdits([]),
  };
}

function httpAction(
  rule: HttpRuleSpec,
  destinations: readonly HttpDestination[],
  mirrors: readonly Mirror[],
): HttpAction {
  const filters = rule.filters ?? [];
  const matched = prefixOf(rule.matches?.[0]?.path);
  const redirect = filters.find((filter) => filter.requestRedirect)?.requestRedirect;
  if (redirect) return redirectAction(redirect, matched);
  const total = destinations.reduce((sum, { weight }) => sum + weight, 0);
  if (total === 0) return { kind: "direct-response", status: 500, body: undefined };
  const rewrite = filters.find((filter) => filter.urlRewrite)?.urlRewrite;
  return {
    kind: "forward",
    destinations,
    ...patience(rule),
    rewritePath: undefined,
    rewriteRegex: undefined,
    rewriteAuthority: rewrite?.hostname,
    pathEdit: pathEdit(rewrite?.path, matched),
    mirrors,
    missingStatus: 500,
  };
}

/** Retried besides on a status: only what a backend did not process. */
const unprocessed = "connect-failure,refused-stream,reset-before-request";

function patience({ timeouts, retry }: HttpRuleSpec): Pick<ForwardAction, "timeoutMs" | "retries"> {
  const requestMs = parseDurationMs(timeouts?.request ?? "0")!;
  const tryMs = parseDurationMs(timeouts?.backendRequest ?? "0")! || undefined;
  const attempts = retry ? (retry.attempts ?? 1) : 2;
  // There is one try: what it may take is what the request may take.
  if (attempts === 0) return { timeoutMs: tryMs ?? requestMs, retries: "none" };
  if (!retry && tryMs === undefined) return { timeoutMs: requestMs, retries: undefined };
  return {
    timeoutMs: requestMs,
    retries: {
      attempts,
      perTryTimeoutMs: tryMs,
      on: retry && [unprocessed, ...(retry.codes ?? [])].join(","),
      avoidsPreviousHosts: true,
      backoffMs: retry?.backoff === undefined ? undefined : parseDurationMs(retry.backoff) || undefined,
    },
  };
}
