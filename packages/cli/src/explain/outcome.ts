import type { CallTrace } from "@weft/proxy/explain/call-trace";
import { addedUp } from "./added-up.ts";
import { fieldsOf } from "./caller-steps.ts";
import { asPercent, faultOutcome, retryOutcome } from "./describe-policies.ts";
import type { DestinationOutcome, Outcome, Problem } from "./explanation.ts";
import type { MeshReader } from "./mesh-reader.ts";
import { policyPlace, RoutePlaces } from "./places.ts";

/** What a call comes to, from what the caller's proxy does with it and what its destinations do. */
export async function outcomeOf(
  trace: CallTrace,
  destinations: readonly DestinationOutcome[],
  reader: MeshReader,
): Promise<Outcome> {
  const { http, tcp } = trace;
  if (!trace.chain || trace.refusal !== undefined) return refused(trace);
  if (tcp) return { ...reached(destinations), destinations };
  if (!http) return refused(trace);
  const route = await routeOf(trace, reader);
  const fault = http.fault && { fault: faultOutcome(http.fault) };
  if (http.asked.length > 0) {
    const summary = `${http.asked.join(", ")} is asked, and decides`;
    return { result: "undecided", summary, ...route, ...fault, destinations: [] };
  }
  const { reply, forward } = http;
  if (reply) {
    const { status, flags, details, body } = reply;
    const policy = /^rbac_access_denied_matched_policy\[(.*)\]$/.exec(details)?.[1];
    const place = policy === undefined || policy === "none" ? undefined : await policyPlace(reader, policy);
    const location = fieldsOf(reply.headers).get("location");
    return {
      result: policy === undefined ? "answered" : "denied",
      summary: location
        ? `redirected to ${location} (${status})`
        : `answered ${status} on the way (${details})`,
      status,
      flags,
      details,
      ...(location !== undefined && { location }),
      ...(body !== "" && { body }),
      ...(place && { policy: { name: place.title, ...(place.origin && { origin: place.origin }) } }),
      ...route,
      ...fault,
      destinations: [],
    };
  }
  if (!forward)
    return { result: "undecided", summary: "it is held, and nothing lets it go", ...route, destinations: [] };
  const { limits, retry, head, responseHeaders } = forward;
  const mirrors = addedUp(trace.shares, (one) => one.mirrors);
  return {
    ...withAnswers(reached(destinations), trace),
    ...route,
    ...fault,
    destinations,
    timeoutMs: limits.timeoutMs,
    ...(retry && { retries: retryOutcome(retry, limits) }),
    ...(mirrors.length > 0 && {
      mirrors: mirrors.map(({ cluster, share }) => ({ cluster, percent: asPercent(share) })),
    }),
    sent: {
      authority: head.authority,
      path: head.path,
      headers: Object.fromEntries(fieldsOf(head.headers.flat)),
    },
    ...(responseHeaders.length > 0 && { answerHeaders: Object.fromEntries(fieldsOf(responseHeaders)) }),
  };
}

function refused({ listener, chain, refusal }: CallTrace): Outcome {
  const why = !listener
    ? "nothing listens there"
    : !chain
      ? `listener ${listener.name} takes no such connections`
      : (refusal ?? "the listener does not see requests");
  return { result: "refused", summary: `the connection is closed: ${why}`, details: why, destinations: [] };
}

/** As the callers of all destinations see it: a failure where none of them can be reached. */
function reached(
  destinations: readonly DestinationOutcome[],
): Pick<Outcome, "result" | "summary"> & Partial<Outcome> {
  const problems = destinations.flatMap(({ problem }) => problem ?? []);
  const [first] = problems;
  if (!first || problems.length < destinations.length) {
    const parts = destinations.map((one) => {
      const part = one.percent === 100 ? "" : `${one.percent} % `;
      const failing = one.problem ? `, which fails: ${one.problem.why}` : "";
      return `${part}to ${one.service}${one.subset && ` ${one.subset}`}${failing}`;
    });
    return { result: "forwarded", summary: `goes ${parts.join(", ")}` };
  }
  return { ...failed(first), summary: `answered ${first.status} ${first.flags}: ${first.why}` };
}

/** What is said of a call, a share of which is answered on the way. */
function withAnswers<Said extends Pick<Outcome, "summary">>(said: Said, { shares }: CallTrace): Said {
  const answers = shares.flatMap(({ share, http: { reply } }) => {
    if (!reply) return [];
    const location = fieldsOf(reply.headers).get("location");
    const how = location === undefined ? `answered ${reply.status}` : `redirected to ${location}`;
    return `${asPercent(share)} % ${how}`;
  });
  return answers.length === 0 ? said : { ...said, summary: [said.summary, ...answers].join(", ") };
}

function failed({ status, flags, details, policy }: Problem): Pick<Outcome, "result"> & Partial<Outcome> {
  const isDenied = details.startsWith("rbac_access_denied");
  return { result: isDenied ? "denied" : "answered", status, flags, details, ...(policy && { policy }) };
}

async function routeOf({ http }: CallTrace, reader: MeshReader): Promise<Pick<Outcome, "route">> {
  const route = http?.routes.match?.route;
  if (!route) return {};
  const origin = (await RoutePlaces.of(reader, route.metadata)).at();
  return { route: { name: route.name, ...(origin && { origin }) } };
}
