import { type Diagnostic, Diagnostics, formatDiagnostic } from "@weft/base/diagnostics";
import type { Workload } from "../registry/workload.ts";
import { followedPorts, identitiesOf } from "./build-destinations.ts";
import { buildServices } from "./build-services.ts";
import { buildWorkload } from "./build-workloads.ts";
import { hostnameOf } from "./host.ts";
import type { Served } from "./inbound-ports.ts";
import type { MeshWorkload } from "./mesh.ts";
import { isForWorkload, isSelective } from "./policy-target.ts";
import type { ServiceDraft } from "./service-draft.ts";
import { ServingWorkloads } from "./serving-workloads.ts";
import { isEqual, share } from "./share-unchanged.ts";
import type { Followed, WorkloadBasis, WorkloadChange } from "./workload-basis.ts";

/** The services that changes concern, with all workloads that serve them. */
interface Concerned {
  readonly hostnames: ReadonlySet<string>;
  /** In order of their ids, as for a mesh as a whole. */
  readonly before: readonly Workload[];
  readonly after: readonly Workload[];
}

/**
 * Follows workloads that come, go or say something else of themselves: the few
 * services they serve are built again by what builds all of them, from all that
 * serve them and from nothing else.
 *
 * Undefined where that is not all: a service comes, goes or is not what it was
 * (a port, an identity its callers may meet, whose version they keep), has endpoints that are written
 * down, lets its callers choose, has another name, or is one of several for a
 * host; where one of them is a gateway; or where something else is to be said of
 * the mesh than before.
 */
export function withMembers(basis: WorkloadBasis, changes: readonly WorkloadChange[]): Followed | undefined {
  if (changes.some(({ before, after }) => before?.isGateway || after?.isGateway)) return undefined;
  const concerned = concernedBy(basis, changes);
  if (!concerned) return undefined;
  const rebuilt = rebuiltDrafts(basis, concerned);
  if (!rebuilt || !areProtectedAsBefore(basis, changes, concerned)) return undefined;
  const drafts = basis.drafts.with(rebuilt);
  const serving = servedAmong(rebuilt);
  const built: [string, MeshWorkload][] = [];
  for (const { id, before, after } of changes) {
    const said = new Diagnostics();
    if (after) {
      const made = buildWorkload(after, serving.get(id) ?? [], { ...inputOf(basis), drafts }, said);
      const old = basis.mesh.workloads.get(id);
      built.push([id, old ? share(old, made) : made]);
    }
    // Of its services nothing is said; what is said of its upstreams is to stay.
    const saidBefore = new Diagnostics();
    if (before) buildWorkload(before, [], inputOf(basis), saidBefore);
    if (!isSame(saidBefore.all, said.all)) return undefined;
  }
  const gone = changes.filter(({ after }) => !after).map(({ id }) => id);
  const workloads = basis.mesh.workloads.with(built, gone);
  for (const [hostname, draft] of rebuilt) {
    const { followsClients = [], identities } = basis.mesh.services.get(hostname)!;
    if (!isEqual(identities, identitiesOf(draft, workloads))) return undefined;
    if (!isEqual(followsClients, followedPorts(draft, workloads))) return undefined;
  }
  const served = basis.served.with(
    changes.map(({ id }) => [id, (serving.get(id) ?? []).map(({ draft }) => draft.service.hostname)]),
    changes.filter(({ id }) => !serving.has(id)).map(({ id }) => id),
  );
  return { drafts, workloads, served, touched: [...rebuilt.keys()] };
}

function inputOf({ drafts, mtls, policies, sidecars, groups, ruleIndex, mesh }: WorkloadBasis) {
  return { drafts, mtls, policies, sidecars, groups, ruleIndex, options: mesh.options };
}

/** Undefined where one of the services cannot be followed. */
function concernedBy(basis: WorkloadBasis, changes: readonly WorkloadChange[]): Concerned | undefined {
  const hostnames = new Set(
    changes.flatMap(({ before, after }) => [...hostnamesOf(basis, before), ...hostnamesOf(basis, after)]),
  );
  const before = new Map<string, Workload>();
  for (const hostname of hostnames) {
    const draft = basis.drafts.get(hostname);
    if (!draft || draft.service.isHeadless || draft.written.length > 0) return undefined;
    if (draft.service.hostname !== hostname || basis.selectors.hasOtherNames(hostname)) return undefined;
    for (const { workload } of draft.backends) before.set(workload.id, workload);
  }
  const after = new Map(before);
  for (const change of changes) {
    if (change.after) after.set(change.id, change.after);
    else after.delete(change.id);
  }
  return { hostnames, before: byId(before), after: byId(after) };
}

/** Services that a workload would serve. A host of a ServiceEntry that stands for another service is none. */
function* hostnamesOf({ drafts, selectors, mesh }: WorkloadBasis, workload: Workload | undefined) {
  if (!workload) return;
  if (workload.service !== "") yield hostnameOf(workload.service, workload.namespace, mesh.options);
  for (const hostname of selectors.selecting(workload)) {
    if (drafts.get(hostname)?.entry || selectors.written(hostname)) yield hostname;
  }
}

function byId(workloads: ReadonlyMap<string, Workload>): Workload[] {
  return [...workloads.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The drafts of these services with the workloads they have now; undefined where more of them differs. */
function rebuiltDrafts(
  basis: WorkloadBasis,
  { hostnames, before, after }: Concerned,
): Map<string, ServiceDraft> | undefined {
  const names = [...hostnames].sort();
  const resources = {
    ...basis.resources,
    Service: names.flatMap((name) => basis.selectors.written(name) ?? []),
    ServiceEntry: [...new Set(names.flatMap((name) => basis.drafts.get(name)!.entry ?? []))],
    WorkloadEntry: [],
    EndpointSlice: [],
    Endpoints: [],
  };
  const build = (workloads: readonly Workload[]) => {
    const diagnostics = new Diagnostics();
    const { mtls, mesh, vips } = basis;
    const { options } = mesh;
    const serving = new ServingWorkloads(workloads, options);
    const drafts = buildServices({ resources, workloads: serving, vips, mtls, options }, diagnostics);
    return { drafts, said: diagnostics.all };
  };
  const built = build(after);
  if (!isSame(build(before).said, built.said)) return undefined;
  const rebuilt = new Map<string, ServiceDraft>();
  for (const name of names) {
    const old = basis.drafts.get(name)!;
    const draft = built.drafts.get(name);
    if (!draft || draft.entry !== old.entry || !isEqual(old.service, draft.service)) return undefined;
    rebuilt.set(name, { ...old, backends: draft.backends });
  }
  return rebuilt;
}

/**
 * Whether every policy with a selector protects some workload if and only if it
 * did: of one that a change concerns, another member of the services is asked.
 */
function areProtectedAsBefore(
  { resources, mesh }: WorkloadBasis,
  changes: readonly WorkloadChange[],
  { before, after }: Concerned,
): boolean {
  const stay = new Set(before).intersection(new Set(after));
  for (const policy of [...resources.AuthorizationPolicy, ...resources.RequestAuthentication]) {
    if (!isSelective(policy.spec)) continue;
    const isProtected = (workload: Workload | undefined) =>
      workload !== undefined && isForWorkload(policy, workload, mesh.options);
    const differs = changes.some((change) => isProtected(change.before) !== isProtected(change.after));
    if (differs && !stay.values().some(isProtected)) return false;
  }
  return true;
}

function servedAmong(drafts: ReadonlyMap<string, ServiceDraft>): ReadonlyMap<string, readonly Served[]> {
  const served = new Map<string, Served[]>();
  for (const draft of drafts.values()) {
    for (const { workload, ports } of draft.backends) {
      const list = served.get(workload.id);
      if (list) list.push({ draft, ports });
      else served.set(workload.id, [{ draft, ports }]);
    }
  }
  return served;
}

function isSame(a: readonly Diagnostic[], b: readonly Diagnostic[]): boolean {
  return a.length === b.length && a.every((said, i) => formatDiagnostic(said) === formatDiagnostic(b[i]!));
}
