import type { Diagnostics } from "@weft/base/diagnostics";
import type { ParentRefSpec } from "../../config/gateway-api-specs.ts";
import { type ResourceOf, resourceKey } from "../../config/resource.ts";
import type { Mesh } from "../mesh.ts";
import { isHttp } from "../protocol.ts";
import { type AttachedRoutes, type RouteSet, routingOf } from "../routing.ts";
import type { ResourcesByKind } from "../sorting.ts";
import type { RefProblem } from "./backend-refs.ts";
import { findParent, type ParentLookup } from "./find-parent.ts";
import { httpRules } from "./http-rules.ts";
import { byRank, type RankedRoute } from "./precedence.ts";
import type { Condition, ParentStatus } from "./route-status.ts";

type Route = ResourceOf<"HTTPRoute">;

/** By resource key, then by parent in the order they are written. */
export type RouteStatuses = ReadonlyMap<string, readonly ParentStatus[]>;

/** The routes of one resource at one port of a service. */
interface Attachment {
  readonly host: string;
  readonly port: number;
  /** Whose callers have them: those of this namespace, or (undefined) all that have none of their own. */
  readonly audience: string | undefined;
  readonly http: readonly RankedRoute[];
}

/**
 * Attaches the Gateway API's routes to services. A route in the service's own
 * namespace is for every caller; one of another namespace only for the callers
 * there. Routes of one kind for the same port are merged.
 */
export function attachRoutes(
  resources: ResourcesByKind,
  mesh: Pick<Mesh, "services" | "options" | "routing">,
  diagnostics: Diagnostics,
): { readonly attached: Map<string, AttachedRoutes>; readonly statuses: RouteStatuses } {
  const lookup: ParentLookup = { ...mesh, entries: resources.ServiceEntry };
  const attachments: Attachment[] = [];
  const statuses = new Map<string, readonly ParentStatus[]>();
  for (const resource of resources.HTTPRoute.toSorted(olderFirst)) {
    const { routes, problems } = httpRules(resource, mesh);
    const refs = resolvedRefs(problems);
    for (const { path, message } of problems) {
      const isCopy = path.includes(".requestMirror");
      const hint = isCopy ? "no copies are sent there" : "its share of the calls is answered with 500";
      diagnostics.warning("IST0101", resource.origins.at(path), message, hint);
    }
    const parents = resource.spec.parentRefs ?? [];
    if (parents.length === 0) {
      const message = "the route is attached to nothing: it does nothing";
      diagnostics.warning("W2120", resource.origins.at("spec"), message, "name a service among parentRefs");
    }
    const found = parents.flatMap((ref, i): ParentStatus[] => {
      const accepted = attach(resource, ref, i, routes);
      return accepted ? [{ parentRef: ref, conditions: [accepted, refs] }] : [];
    });
    statuses.set(resourceKey(resource), found);
  }
  return { attached: grouped(attachments), statuses };

  /** Undefined where another controller may serve the parent. */
  function attach(
    resource: Route,
    ref: ParentRefSpec,
    index: number,
    routes: readonly RankedRoute[],
  ): Condition | undefined {
    const at = resource.origins.at(`spec.parentRefs[${index}]`);
    const carries = { protocols: isHttp, what: "HTTP" };
    const parents = findParent(ref, resource.namespace, carries, lookup);
    if ("message" in parents) {
      const { reason, message, hint } = parents;
      diagnostics.warning(reason === "NoMatchingParent" ? "IST0101" : "W2120", at, message, hint);
      return reason && { type: "Accepted", isTrue: false, reason, message };
    }
    for (const { service, ports } of parents) {
      const audience = service.namespace === resource.namespace ? undefined : resource.namespace;
      for (const { number } of ports) {
        attachments.push({ host: service.hostname, port: number, audience, http: routes });
      }
      const other = routingOf(mesh.routing, service.hostname);
      if (other && other.http.length > 0) {
        const shown = ports.map(({ number }) => number).join(", ");
        const message = `VirtualService ${other.namespace}/${other.name} routes ${service.hostname} too: not on port ${shown}, where this route is attached`;
        diagnostics.warning("W2121", at, message, `the other is at ${other.source.origin}`);
      }
    }
    return { type: "Accepted", isTrue: true, reason: "Accepted", message: "attached" };
  }
}

/** One whose age nobody knows was there before all others. */
function olderFirst(a: Route, b: Route): number {
  const [one, two] = [a.createdAtMs ?? 0, b.createdAtMs ?? 0];
  if (one !== two) return one - two;
  return resourceKey(a) < resourceKey(b) ? -1 : 1;
}

function resolvedRefs(problems: readonly RefProblem[]): Condition {
  const [first] = problems;
  if (!first) return { type: "ResolvedRefs", isTrue: true, reason: "ResolvedRefs", message: "all are known" };
  const message = problems.map((problem) => `${problem.path}: ${problem.message}`).join("; ");
  return { type: "ResolvedRefs", isTrue: false, reason: first.reason, message };
}

function grouped(attachments: readonly Attachment[]): Map<string, AttachedRoutes> {
  const hosts = Map.groupBy(attachments, ({ host }) => host);
  return new Map(
    [...hosts].map(([host, all]) => {
      const audiences = Map.groupBy(all, ({ audience }) => audience);
      const producer = merged(audiences.get(undefined) ?? []);
      audiences.delete(undefined);
      const consumers = new Map([...audiences].map(([namespace, own]) => [namespace!, merged(own)]));
      return [host, { host, producer, consumers }];
    }),
  );
}

function merged(attachments: readonly Attachment[]): Map<number, RouteSet> {
  const ports = Map.groupBy(attachments, ({ port }) => port);
  return new Map(
    [...ports].map(([port, own]) => [
      port,
      { http: byRank(own.flatMap(({ http }) => http)), tcp: [], tls: [] },
    ]),
  );
}
