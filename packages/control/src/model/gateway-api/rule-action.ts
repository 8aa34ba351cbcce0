import type { HttpRuleSpec } from "../../config/gateway-api-specs.ts";
import { parseDurationMs } from "../../config/values.ts";
import type {
  ForwardAction,
  HeaderEdits,
  HttpAction,
  HttpDestination,
  HttpRoute,
  Mirror,
} from "../routing.ts";
import { type BackendLookup, type RefProblem, resolveBackend } from "./backend-refs.ts";
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

/** What becomes of the requests of a rule, whichever of its matches they have. */
export function ruleAction(
  rule: Omit<HttpRuleSpec, "matches">,
  context: RuleContext,
  backends: BackendLookup,
  problems: RefProblem[],
): Pick<HttpRoute, "action" | "headers" | "cors" | "session"> {
  const { path, resource } = context;
  const filters = rule.filters ?? [];
  const cors = filters.find((filter) => filter.cors)?.cors;
  const own = headerEdits(filters);
  const destinations = (rule.backendRefs ?? []).map((ref, i): HttpDestination => {
    const found = resolveBackend(ref, `${path}.backendRefs[${i}]`, resource, backends);
    if (found.problem) problems.push(found.problem);
    return { ...found.destination, headers: headerEdits(ref.filters ?? []) };
  });
  const mirrors = filters.flatMap(({ requestMirror }, i): Mirror[] => {
    if (!requestMirror) return [];
    const at = `${path}.filters[${i}].requestMirror.backendRef`;
    const found = resolveBackend(requestMirror.backendRef, at, resource, backends);
    const percent = mirrorPercent(requestMirror);
    if (found.problem) problems.push(found.problem);
    // Nobody waits for the answer to a copy: one that leads nowhere is none.
    return found.problem || percent === 0 ? [] : [{ destination: found.destination, percent }];
  });
  const edited = editedDestinations(destinations, own);
  return {
    action: httpAction(rule, context, edited.destinations, mirrors),
    headers: edited.headers,
    cors: cors && corsOf(cors),
    ...(rule.sessionPersistence ? { session: sessionCarrier(rule.sessionPersistence, context) } : {}),
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
