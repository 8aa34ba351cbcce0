import type { Mesh, MeshWorkload } from "../model/mesh.ts";
import type { Provenance } from "../model/provenance.ts";
import { copiesOf } from "../model/route-shares.ts";
import {
  type Destination,
  type HttpMatch,
  type HttpRoute,
  type PathMatcher,
  type RouteSet,
  routingOf,
} from "../model/routing.ts";
import type { Service } from "../model/service.ts";
import type { PolicyDetail, RouteDetail, ServiceDetail } from "./view.ts";

const maxRoutes = 200;

/** Routes with the calls that have them; "": all. */
interface ShownRoutes {
  readonly routes: RouteSet;
  readonly calls: string;
}

/** In the order of who goes before whom: attached for some callers, attached for all, of a VirtualService. */
function routeSets(mesh: Mesh, { hostname }: Service): ShownRoutes[] {
  const attached = mesh.attached.get(hostname);
  const onPort = ([port, routes]: readonly [number, RouteSet], calls: string): ShownRoutes => ({
    routes,
    calls: `port ${port}${calls}`,
  });
  const routing = routingOf(mesh.routing, hostname);
  return [
    ...[...(attached?.consumers ?? [])].flatMap(([namespace, ports]) =>
      [...ports].map((entry) => onPort(entry, `, caller of ${namespace}`)),
    ),
    ...[...(attached?.producer ?? [])].map((entry) => onPort(entry, "")),
    ...(routing ? [{ routes: routing, calls: "" }] : []),
  ];
}

function routeDetails({ routes, calls }: ShownRoutes): RouteDetail[] {
  const withCalls = (match: string) => [calls, match].filter((part) => part !== "").join(", ");
  const plain = (
    protocol: "tls" | "tcp",
    match: string,
    route: { destinations: readonly Destination[]; source: Provenance },
  ) => ({
    protocol,
    name: "",
    match: withCalls(match),
    action: "",
    destinations: shares(route.destinations),
    config: route.source.config,
    origin: route.source.origin,
  });
  return [
    ...routes.http.map((route) => {
      const detail = httpRoute(route);
      return { ...detail, match: withCalls(detail.match) };
    }),
    ...routes.tls.map((route) =>
      plain("tls", route.matches.flatMap(({ sniHosts }) => sniHosts).join(", "), route),
    ),
    ...routes.tcp.map((route) =>
      plain(
        "tcp",
        route.matches.map(({ port }) => (port ? `port ${port}` : "every connection")).join(" or ") ||
          "every connection",
        route,
      ),
    ),
  ];
}

/** What is configured for one service, and where it was written; its failures are told apart. */
export function serviceDetail(
  mesh: Mesh,
  service: Service,
): Omit<ServiceDetail, "failures" | "recentFailures"> {
  const workloads = [...mesh.workloads.values()].filter(({ inbound }) =>
    inbound.some((port) => port.service?.hostname === service.hostname),
  );
  const routes = routeSets(mesh, service).flatMap((set) => routeDetails(set));
  return {
    hostname: service.hostname,
    ports: service.ports.map(({ number, name, protocol }) => ({ number, name, protocol })),
    origin: service.source?.origin,
    destinationRule: service.destinationRule?.origin,
    subsets: service.subsets.map(({ name, labels, source }) => ({
      name,
      version: labels.version ?? "",
      origin: source.origin,
    })),
    routes: routes.slice(0, maxRoutes),
    policies: policiesOf(workloads),
    mtlsModes: [...new Set(workloads.map(({ mtlsMode }) => mtlsMode))].sort(),
  };
}

function httpRoute({ name, matches, action, fault, source }: HttpRoute): RouteDetail {
  const notes: string[] = [];
  if (action.kind === "redirect") notes.push(`redirect ${action.status}`);
  if (action.kind === "direct-response") notes.push(`answer ${action.status}`);
  if (fault?.delay) notes.push(`delay ${fault.delay.fixedMs} ms for ${fault.delay.percent} %`);
  if (fault?.abort) {
    const { error, percent } = fault.abort;
    const status = "httpStatus" in error ? error.httpStatus : `gRPC ${error.grpcStatus}`;
    notes.push(`abort with ${status} for ${percent} %`);
  }
  if (action.kind === "forward" && action.timeoutMs > 0) notes.push(`timeout ${action.timeoutMs} ms`);
  if (action.kind === "forward" && typeof action.retries === "object")
    notes.push(`retries ${action.retries.attempts}`);
  if (copiesOf(action).length > 0) notes.push("mirrored");
  return {
    protocol: "http",
    name,
    match: matches.map(matchText).join(" or ") || "every request",
    action: notes.join(", "),
    destinations: action.kind === "forward" ? shares(action.destinations) : [],
    config: source.config,
    origin: source.origin,
  };
}

function shares(destinations: readonly Destination[]): RouteDetail["destinations"] {
  const total = destinations.reduce((sum, { weight }) => sum + weight, 0);
  return destinations.map(({ host, subset, weight }) => ({
    host,
    subset,
    share: total > 0 ? weight / total : 0,
  }));
}

function matchText(match: HttpMatch): string {
  const parts: string[] = [];
  const add = (name: string, matcher: PathMatcher | undefined): void => {
    if (matcher)
      parts.push(
        `${name} ${matcher.kind === "present" ? "is there" : `${signs[matcher.kind]}${matcher.value}`}`,
      );
  };
  add("path", match.uri);
  add("method", match.method);
  add("scheme", match.scheme);
  add("authority", match.authority);
  for (const { name, matcher } of match.headers) add(name, matcher);
  for (const { name, matcher } of match.withoutHeaders) add(`not ${name}`, matcher);
  for (const { name, matcher } of match.queryParams) add(`?${name}`, matcher);
  if (match.port !== undefined) parts.push(`port ${match.port}`);
  for (const [name, value] of Object.entries(match.source.labels)) parts.push(`caller ${name}=${value}`);
  if (match.source.namespace !== undefined) parts.push(`caller of ${match.source.namespace}`);
  return parts.join(", ") || "every request";
}

const signs = {
  exact: "= ",
  prefix: "begins with ",
  "path-prefix": "is or is below ",
  regex: "~ ",
} as const;

function policiesOf(workloads: readonly MeshWorkload[]): PolicyDetail[] {
  const found = new Map<string, PolicyDetail>();
  for (const { action, name, namespace, rules, source } of workloads.flatMap(({ policies }) => policies)) {
    const detail = { action, name, namespace, rules: rules.length, origin: source.origin };
    found.set(`${action}/${namespace}/${name}`, detail);
  }
  return [...found.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, policy]) => policy);
}
