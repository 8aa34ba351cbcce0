import type { ResourceKey } from "../api/protocol.ts";
import { ApiRefusal } from "../api/refusal.ts";
import type { RolloutMatch, StartRollout } from "../api/rollout-protocol.ts";
import type { ConfigResource, ResourceOf } from "../config/resource.ts";
import { resourceKey } from "../config/resource.ts";
import { hostnameOf, resolveHost } from "../model/host.ts";
import type { Mesh } from "../model/mesh.ts";
import type { Subset } from "../model/service.ts";
import type { RolloutPlan, VersionRef } from "./rollout.ts";

/** What a plan is made from. */
export interface PlanGround {
  readonly mesh: Pick<Mesh, "services" | "options">;
  readonly resources: readonly ConfigResource[];
}

type Resolved = Pick<RolloutPlan, "hostname" | "route" | "stable" | "canary">;

/**
 * Finds the route whose weights are to be shifted, and the two versions in it.
 *
 * @throws ApiRefusal where there is none or more than one, with what to do
 */
export function resolvePlan(start: StartRollout, ground: PlanGround): Resolved {
  const { namespace, service } = start;
  const hostname = hostnameOf(service, namespace, ground.mesh.options);
  if (!ground.mesh.services.has(hostname)) {
    throw new ApiRefusal(404, {
      error: `there is no service ${namespace}/${service}`,
      hint: "'weft stat' lists the services there are; --namespace names another namespace",
    });
  }
  const route = findRoute(start, hostname, ground);
  const key = { kind: route.kind, namespace: route.namespace, name: route.name };
  const versions =
    route.kind === "HTTPRoute" ? backendsOf(route, start, ground) : subsetsOf(route, start, hostname, ground);
  return { hostname, route: key, ...versions };
}

type Route = ResourceOf<"VirtualService"> | ResourceOf<"HTTPRoute">;

function isRoute(resource: ConfigResource): resource is Route {
  return resource.kind === "VirtualService" || resource.kind === "HTTPRoute";
}

/** Routes of the Gateway API go before VirtualServices, as they do for calls. */
function findRoute(start: StartRollout, hostname: string, { resources, mesh }: PlanGround): Route {
  const routes = resources.filter(isRoute);
  if (start.route) {
    const wanted = resourceKey(start.route);
    const found = routes.find((route) => resourceKey(route) === wanted);
    if (found) return found;
    throw new ApiRefusal(404, { error: `there is no ${wanted}`, hint: "'weft get all' lists what there is" });
  }
  const attached = routes.filter((route) => route.kind === "HTTPRoute" && isAttached(route, start));
  const named = routes.filter(
    (route) =>
      route.kind === "VirtualService" &&
      route.spec.hosts?.some((host) => resolveHost(host, route.namespace, mesh.options) === hostname),
  );
  const candidates = attached.length > 0 ? attached : named;
  const [only, ...more] = candidates;
  if (only && more.length === 0) return only;
  if (only) {
    throw new ApiRefusal(409, {
      error: `${candidates.map(nameOf).join(" and ")} all route ${start.service}`,
      hint: `say which one by --route, as in --route ${only.kind}/${only.name}`,
    });
  }
  throw new ApiRefusal(409, {
    error: `nothing routes ${start.namespace}/${start.service}: there are no weights to shift`,
    hint: "apply a VirtualService and a DestinationRule with a subset for each version, or an HTTPRoute: see docs/rollouts.md",
  });
}

function isAttached({ spec, namespace }: ResourceOf<"HTTPRoute">, start: StartRollout): boolean {
  return (spec.parentRefs ?? []).some(
    ({ kind, name, namespace: of = namespace }) =>
      kind === "Service" && name === start.service && of === start.namespace,
  );
}

function subsetsOf(
  route: ResourceOf<"VirtualService">,
  start: StartRollout,
  hostname: string,
  { mesh }: PlanGround,
): Pick<Resolved, "stable" | "canary"> {
  const subsets = mesh.services.get(hostname)!.subsets;
  const refOf = (subset: Subset): VersionRef => ({
    version: subset.labels.version ?? subset.name,
    hostname,
    subset: subset.name,
  });
  const named = (version: string): VersionRef => {
    const found =
      subsets.find(({ name }) => name === version) ??
      subsets.find(({ labels }) => labels.version === version);
    if (found) return refOf(found);
    const known = subsets.map(({ name }) => name);
    throw new ApiRefusal(409, {
      error: `no subset of ${start.service} is ${version}`,
      hint:
        known.length > 0
          ? `there is ${known.join(", ")}: add "- { name: ${version}, labels: { version: ${version} } }" to its DestinationRule`
          : `apply a DestinationRule with a subset for each version: see docs/rollouts.md`,
    });
  };
  const canary = named(start.to);
  const rules = (route.spec.http ?? []).map(({ route: destinations = [] }) =>
    destinations
      .filter(({ destination }) => resolveHost(destination.host, route.namespace, mesh.options) === hostname)
      .map(({ destination, weight }) => ({
        name: destination.subset ?? "",
        weight: weight ?? (destinations.length === 1 ? 100 : 0),
      })),
  );
  const from = start.from === undefined ? undefined : named(start.from).subset!;
  const stable = stableOf(rules, canary.subset!, from, nameOf(route));
  if (stable === "") {
    throw new ApiRefusal(409, {
      error: `${nameOf(route)} sends calls to ${start.service} without a subset, so every version gets them`,
      hint: "name the subset of the version that serves now in it, and apply it first",
    });
  }
  return { stable: named(stable), canary };
}

function backendsOf(
  route: ResourceOf<"HTTPRoute">,
  start: StartRollout,
  { mesh }: PlanGround,
): Pick<Resolved, "stable" | "canary"> {
  for (const match of start.match ?? []) refuseUnspeakable(match);
  const refOf = (backend: string): VersionRef => ({
    version: backend.startsWith(`${start.service}-`) ? backend.slice(start.service.length + 1) : backend,
    hostname: hostnameOf(backend, route.namespace, mesh.options),
    backend,
  });
  const named = (version: string): VersionRef => {
    const found = [version, `${start.service}-${version}`].find((name) =>
      mesh.services.has(hostnameOf(name, route.namespace, mesh.options)),
    );
    if (found !== undefined) return refOf(found);
    throw new ApiRefusal(409, {
      error: `there is no service ${version} or ${start.service}-${version} in ${route.namespace}`,
      hint: "an HTTPRoute has a backend for each version: apply a Service that selects it",
    });
  };
  const canary = named(start.to);
  const rules = (route.spec.rules ?? []).map(({ backendRefs = [] }) =>
    backendRefs.map(({ name, weight = 1 }) => ({ name, weight })),
  );
  const from = start.from === undefined ? undefined : named(start.from).backend!;
  return { stable: refOf(stableOf(rules, canary.backend!, from, nameOf(route))), canary };
}

/** The version whose calls are shared: of the last rule that has one, which takes what no earlier one did. */
function stableOf(
  rules: readonly (readonly { readonly name: string; readonly weight: number }[])[],
  canary: string,
  from: string | undefined,
  route: string,
): string {
  const old = (rule: (typeof rules)[number]) =>
    rule.filter(({ name, weight }) => weight > 0 && name !== canary).map(({ name }) => name);
  if (from !== undefined) {
    if (from === canary) throw new ApiRefusal(409, { error: `from and to are both ${canary}` });
    if (rules.some((rule) => old(rule).includes(from))) return from;
    throw new ApiRefusal(409, {
      error: `${route} sends no calls to ${from}`,
      hint: "--from names the version that gets the calls now",
    });
  }
  const last = rules.findLast((rule) => rule.some(({ weight }) => weight > 0));
  const names = [...new Set(last ? old(last) : [])];
  if (names.length === 1) return names[0]!;
  throw new ApiRefusal(409, {
    error:
      names.length === 0
        ? `${route} sends no calls to any other version than ${canary}`
        : `${route} sends calls to ${names.join(" and ")}`,
    hint: names.length === 0 ? "there is nothing to shift" : "say by --from which of them gives way",
  });
}

/** An HTTPRoute has no words for these. */
function refuseUnspeakable({ headers = {}, queryParams = {}, sourceLabels }: RolloutMatch): void {
  const matches = [...Object.values(headers), ...Object.values(queryParams)];
  const isFine = matches.every(({ exact, regex }) => exact !== undefined || regex !== undefined);
  if (isFine && sourceLabels === undefined) return;
  throw new ApiRefusal(409, {
    error: "an HTTPRoute matches headers and query parameters by exact and regex alone",
    hint: "write the match so, or route by a VirtualService",
  });
}

function nameOf({ kind, namespace, name }: ResourceKey): string {
  return `${kind} ${namespace}/${name}`;
}
