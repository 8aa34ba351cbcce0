import type { CallTrace, Forwarding, HttpShare, HttpTrace, MissText } from "@weft/proxy/explain/call-trace";
import type { SessionPlan } from "@weft/proxy/filters/stateful-session";
import type { RoutePlan } from "@weft/proxy/route/route-plan";
import { asPercent, faultText, formatMs, retryText } from "./describe-policies.ts";
import type { Lost, Step } from "./explanation.ts";
import type { MeshReader } from "./mesh-reader.ts";
import { RoutePlaces } from "./places.ts";
import { policySteps } from "./policy-steps.ts";

/** The way through the caller's own proxy, up to the clusters. */
export async function callerSteps(
  trace: CallTrace,
  at: string,
  destination: string,
  reader: MeshReader,
): Promise<Step[]> {
  const steps: Step[] = [];
  const { listener, chain, http } = trace;
  if (!listener) {
    steps.push({ at, step: "listener", chosen: "none", detail: `nothing listens for ${destination}` });
    return steps;
  }
  steps.push({
    at,
    step: "listener",
    chosen: listener.name,
    detail: `for connections to ${destination}`,
    ...placed(listener.origin),
  });
  if (!chain) return steps;
  steps.push(...(await policySteps(trace, at, reader)));
  if (http) steps.push(...(await httpSteps(http, trace.shares, at, reader)));
  return steps;
}

async function httpSteps(
  http: HttpTrace,
  shares: readonly HttpShare[],
  at: string,
  reader: MeshReader,
): Promise<Step[]> {
  const { routes } = http;
  if (!routes.virtualHost) {
    const detail = `no domain of route configuration ${http.routeTable} is for ${http.seen.authority}`;
    return [{ at, step: "virtual host", chosen: "none", detail }];
  }
  const host: Step = {
    at,
    step: "virtual host",
    chosen: routes.virtualHost.name,
    detail: `domain ${routes.virtualHost.domain} is for ${http.seen.authority}`,
  };
  const lost = await Promise.all(
    // What other shares there are is told by their own steps.
    http.misses.filter(isNoShare).map(async ({ miss, wanted, found }): Promise<Lost> => {
      const places = await placesOf(miss.route, reader);
      const why = `it wants ${wanted}; the request has ${found}`;
      return { what: routeTitle(miss.route, miss.index), why, ...placed(places.at("match")) };
    }),
  );
  const { match } = routes;
  if (!match) {
    return [host, { at, step: "route", chosen: "none", detail: "no route matches", lost }];
  }
  const places = await placesOf(match.route, reader);
  const conditions = http.conditions.map(({ text }) => text).join(", ");
  const route: Step = {
    at,
    step: "route",
    chosen: routeTitle(match.route, routes.index),
    ...(conditions && { detail: conditions }),
    ...placed(places.at()),
    ...(lost.length > 0 && { lost }),
  };
  return [
    host,
    route,
    ...faultSteps(http, at, places),
    ...(shares.length === 1
      ? shareSteps(http, at, places)
      : shares.flatMap((one) => stepsOfShare(one, at, places))),
  ];
}

function isNoShare({ miss }: MissText): boolean {
  return miss.failed !== "fraction";
}

function shareSteps(http: HttpTrace, at: string, places: RoutePlaces): Step[] {
  return [...answerSteps(http, at, places), ...sentSteps(http, at, places)];
}

/** What becomes of one share of the requests, and below that it is only of that. */
function stepsOfShare({ share, http }: HttpShare, at: string, places: RoutePlaces): Step[] {
  const clusters = (http.forward?.clusters ?? []).map(({ cluster }) => cluster);
  const chosen = `${asPercent(share)} % of these requests`;
  const detail = clusters.length > 0 ? `to ${clusters.join(", ")}` : "sent nowhere";
  return [{ at, step: "share", chosen, detail, ...placed(places.at()) }, ...shareSteps(http, at, places)];
}

function faultSteps({ fault }: HttpTrace, at: string, places: RoutePlaces): Step[] {
  if (!fault) return [];
  return [{ at, step: "fault", chosen: faultText(fault), ...placed(places.at("fault")) }];
}

function answerSteps({ reply, routes, asked }: HttpTrace, at: string, places: RoutePlaces): Step[] {
  if (asked.length > 0) {
    return [
      {
        at,
        step: "asks",
        chosen: asked.join(", "),
        detail: "what it answers decides",
        ...placed(places.at()),
      },
    ];
  }
  if (!reply) return [];
  const action = routes.match?.route.action.kind;
  const kind = reply.details === "direct_response" && action === "redirect" ? "redirect" : "answer";
  const location = fieldOf(reply.headers, "location");
  const chosen = location === undefined ? `${reply.status}` : `${reply.status} to ${location}`;
  return [
    {
      at,
      step: kind,
      chosen,
      detail: reply.details,
      ...placed(places.at("redirect", "directResponse", "fault")),
    },
  ];
}

function sentSteps({ forward, seen, routes }: HttpTrace, at: string, places: RoutePlaces): Step[] {
  if (!forward) return [];
  const { head, limits, retry, mirrors } = forward;
  const steps: Step[] = [];
  const rewritten = [
    ...(head.path === seen.path ? [] : [`path ${head.path}`]),
    ...(head.authority === seen.authority ? [] : [`host ${head.authority}`]),
  ];
  if (rewritten.length > 0)
    steps.push({
      at,
      step: "rewrite",
      chosen: rewritten.join(", "),
      ...placed(places.at("rewrite", "headers")),
    });
  const edits = headerEdits(forward, seen.headers.flat);
  if (edits.length > 0)
    steps.push({ at, step: "headers", chosen: edits.join(", "), ...placed(places.at("headers", "route")) });
  steps.push({
    at,
    step: "timeout",
    chosen: formatMs(limits.timeoutMs),
    ...placed(places.only("timeout")),
  });
  steps.push({
    at,
    step: "retries",
    chosen: retry ? retryText(retry) : "none",
    ...placed(places.only("retries")),
  });
  const session = sessionOf(routes.match?.route);
  if (session) steps.push({ at, step: "session", chosen: `kept by ${session}`, ...placed(places.at()) });
  for (const { cluster, share } of mirrors) {
    const chosen = `${asPercent(share)} % are copied to ${cluster}`;
    steps.push({ at, step: "mirror", chosen, ...placed(places.at("mirror", "mirrors")) });
  }
  return steps;
}

/** What carries the session of the requests of a route. */
function sessionOf(route: RoutePlan | undefined): string | undefined {
  const plan = route?.filterConfigs?.get("envoy.filters.http.stateful_session");
  return typeof plan === "object" ? (plan as SessionPlan).state?.carrier : undefined;
}

/** Fields the proxy itself sets on every request; nothing anyone configured. */
const ownFields = /^x-(envoy-(original|expected|attempt|decorator)|forwarded-|request-id$)/;

/** What the configuration adds, changes and removes, as one line each. */
function headerEdits({ head, responseHeaders }: Forwarding, before: readonly string[]): string[] {
  const sent = fieldsOf(head.headers.flat);
  const seen = fieldsOf(before);
  const lines: string[] = [];
  for (const [name, value] of sent) {
    if (!ownFields.test(name) && seen.get(name) !== value) lines.push(`${name}: ${value}`);
  }
  for (const name of seen.keys()) if (!ownFields.test(name) && !sent.has(name)) lines.push(`without ${name}`);
  for (const [name, value] of fieldsOf(responseHeaders)) lines.push(`answer ${name}: ${value}`);
  return lines;
}

/** Values of one name joined as RFC 9110 §5.2 allows. */
export function fieldsOf(flat: readonly string[]): Map<string, string> {
  const fields = new Map<string, string>();
  for (let i = 0; i < flat.length; i += 2) {
    const before = fields.get(flat[i]!);
    fields.set(flat[i]!, before === undefined ? flat[i + 1]! : `${before}, ${flat[i + 1]}`);
  }
  return fields;
}

function fieldOf(flat: readonly string[], name: string): string | undefined {
  return fieldsOf(flat).get(name);
}

function placesOf(route: RoutePlan, reader: MeshReader): Promise<RoutePlaces> {
  return RoutePlaces.of(reader, route.metadata);
}

function routeTitle({ name }: RoutePlan, index: number | undefined): string {
  return name || (index === undefined ? "redirect to https" : `route ${index + 1}`);
}

/** To be spread: no origin where there is none. */
export function placed(origin: string | undefined): { readonly origin?: string } {
  return origin === undefined ? {} : { origin };
}
