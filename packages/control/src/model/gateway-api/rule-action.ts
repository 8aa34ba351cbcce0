import type { HttpFilterSpec, HttpRuleSpec } from "../../config/gateway-api-specs.ts";
import { parseDurationMs } from "../../config/values.ts";
import {
  type DestinationFilters,
  type ForwardAction,
  type HeaderEdits,
  type HttpAction,
  type HttpDestination,
  type HttpRoute,
  isEdited,
  type Mirror,
} from "../routing.ts";
import { type BackendLookup, type RefProblem, resolveBackend } from "./backend-refs.ts";
import { externalAuth } from "./external-auth.ts";
import { corsOf, headerEdits, mirrorPercent, pathEdit, redirectAction, thenEdit } from "./http-filters.ts";
import { sessionCarrier } from "./session-carrier.ts";

/** The rule of a route, and what its resource says of it. */
export interface RuleContext {
  /** Of the rule, e.g. `spec.rules[0]`. */
  readonly path: string;
  readonly resource: { readonly kind: string; readonly namespace: string; readonly name: string };
  /** The only prefix that leads to the rule, where one is replaced. */
  readonly matched: string;
  /** What calls are answered with that have nowhere to go: 503 means UNAVAILABLE to gRPC. */
  readonly missingStatus: 500 | 503;
}

/** A host that is nowhere. */
const unauthorizable = "not-authorizable.invalid";

/** What becomes of the requests of a rule, whichever of its matches they have. */
export function ruleAction(
  rule: Omit<HttpRuleSpec, "matches">,
  context: RuleContext,
  backends: BackendLookup,
  problems: RefProblem[],
): Pick<HttpRoute, "action" | "headers" | "cors" | "authorizers" | "session"> {
  const { path, resource } = context;
  const filters = rule.filters ?? [];
  const cors = filters.find((filter) => filter.cors)?.cors;
  const own = headerEdits(filters);
  const mirrorsOf = (list: readonly HttpFilterSpec[], at: string) =>
    list.flatMap(({ requestMirror }, i): Mirror[] => {
      if (!requestMirror) return [];
      const place = `${at}[${i}].requestMirror.backendRef`;
      const found = resolveBackend(requestMirror.backendRef, place, resource, backends);
      const percent = mirrorPercent(requestMirror);
      if (found.problem) problems.push(found.problem);
      // Nobody waits for the answer to a copy: one that leads nowhere is none.
      return found.problem || percent === 0 ? [] : [{ destination: found.destination, percent }];
    });
  const authorizersOf = (list: readonly HttpFilterSpec[], at: string) =>
    list.flatMap(({ externalAuth: spec }, i) =>
      spec ? [externalAuth(spec, `${at}[${i}].externalAuth`, resource, backends, problems)] : [],
    );
  const destinations = (rule.backendRefs ?? []).map((ref, i): HttpDestination => {
    const at = `${path}.backendRefs[${i}]`;
    const found = resolveBackend(ref, at, resource, backends);
    if (found.problem) problems.push(found.problem);
    const { filters: own = [] } = ref;
    const asked = authorizersOf(own, `${at}.filters`);
    const more = destinationFilters(own, context, {
      mirrors: mirrorsOf(own, `${at}.filters`),
      authorizers: asked.filter((one) => one !== undefined),
    });
    // Where somebody is to be asked and nobody can be, it must not be reached.
    const destination = asked.includes(undefined)
      ? { ...found.destination, host: unauthorizable, subset: "" }
      : { ...found.destination, ...(more ? { own: more } : {}) };
    return { ...destination, headers: headerEdits(own) };
  });
  const mirrors = mirrorsOf(filters, `${path}.filters`);
  const asked = authorizersOf(filters, `${path}.filters`);
  const authorizers = asked.filter((one) => one !== undefined);
  const edited = editedDestinations(destinations, own);
  return {
    action: asked.includes(undefined)
      ? { kind: "direct-response", status: 500, body: undefined }
      : httpAction(rule, context, edited.destinations, mirrors),
    headers: edited.headers,
    cors: cors && corsOf(cors),
    ...(authorizers.length > 0 ? { authorizers } : {}),
    ...(rule.sessionPersistence ? { session: sessionCarrier(rule.sessionPersistence, context) } : {}),
  };
}

/** What a backend's filters say beside the edits of headers; undefined where that is nothing. */
function destinationFilters(
  filters: readonly HttpFilterSpec[],
  { matched }: RuleContext,
  { mirrors, authorizers }: Pick<DestinationFilters, "mirrors" | "authorizers">,
): DestinationFilters | undefined {
  const of = <K extends keyof HttpFilterSpec>(field: K) => filters.find((filter) => filter[field])?.[field];
  const [redirect, rewrite, cors] = [of("requestRedirect"), of("urlRewrite"), of("cors")];
  if (!redirect && !rewrite && !cors && mirrors.length + authorizers.length === 0) return undefined;
  const path = pathEdit(rewrite?.path, matched);
  return {
    ...(redirect ? { redirect: redirectAction(redirect, matched) } : {}),
    ...(cors ? { cors: corsOf(cors) } : {}),
    ...(rewrite?.hostname === undefined ? {} : { rewriteAuthority: rewrite.hostname }),
    ...(path ? { pathEdit: path } : {}),
    mirrors,
    authorizers,
  };
}

/** A rule's edits come before those of its backends: where one of these has some, each has both. */
function editedDestinations(
  destinations: readonly HttpDestination[],
  headers: HeaderEdits,
): { readonly destinations: readonly HttpDestination[]; readonly headers: HeaderEdits } {
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
  rule: Omit<HttpRuleSpec, "matches">,
  { matched, missingStatus }: RuleContext,
  destinations: readonly HttpDestination[],
  mirrors: readonly Mirror[],
): HttpAction {
  const filters = rule.filters ?? [];
  const redirect = filters.find((filter) => filter.requestRedirect)?.requestRedirect;
  if (redirect) return redirectAction(redirect, matched);
  const total = destinations.reduce((sum, { weight }) => sum + weight, 0);
  if (total === 0) return { kind: "direct-response", status: missingStatus, body: undefined };
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
    missingStatus: missingStatus === 503 ? undefined : missingStatus,
  };
}

/** Retried besides on a status: only what a backend did not process. */
const unprocessed = "connect-failure,refused-stream,reset-before-request";

function patience({
  timeouts,
  retry,
}: Omit<HttpRuleSpec, "matches">): Pick<ForwardAction, "timeoutMs" | "retries"> {
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
      leavesPriorities: false,
      backoffMs: retry?.backoff === undefined ? undefined : parseDurationMs(retry.backoff) || undefined,
    },
  };
}
