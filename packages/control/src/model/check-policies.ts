import { Diagnostics } from "@weft/base/diagnostics";
import { keepLatest } from "@weft/base/keep-latest";
import type { ResourceOf } from "../config/resource.ts";
import type { Mesh, MeshWorkload } from "./mesh.ts";
import { isForWorkload, isSelective } from "./policy-target.ts";

type Policy = ResourceOf<"AuthorizationPolicy" | "RequestAuthentication">;

/** Names policies that protect nothing, and those that ask somebody who is not there. */
export const idlePolicies = keepLatest(
  (
    workloads: Mesh["workloads"],
    services: Mesh["services"],
    options: Mesh["options"],
    authorizations: readonly ResourceOf<"AuthorizationPolicy">[],
    authentications: readonly ResourceOf<"RequestAuthentication">[],
  ) => {
    const diagnostics = new Diagnostics();
    for (const resource of authorizations) {
      checkSelection(resource, { workloads, options }, diagnostics);
      checkProvider(resource, { services, options }, diagnostics);
    }
    for (const resource of authentications) checkSelection(resource, { workloads, options }, diagnostics);
    return diagnostics.all;
  },
);

/** Who is asked about requests must be there to be asked. */
function checkProvider(
  { spec, origins }: ResourceOf<"AuthorizationPolicy">,
  { services, options }: Pick<Mesh, "services" | "options">,
  diagnostics: Diagnostics,
): void {
  const provider = options.defaults.authorizationProviders[spec.provider?.name ?? ""];
  if (!provider || services.get(provider.host)?.ports.some(({ number }) => number === provider.port)) return;
  const what = `the provider's service ${provider.host} has no port ${provider.port} or is not known`;
  const then = provider.failsOpen
    ? "what it should be asked about is allowed"
    : "what it should be asked about is denied";
  diagnostics.warning(
    "IST0101",
    origins.at("spec.provider.name"),
    `${what}: ${then}`,
    "it may register later",
  );
}

/** A policy that selects by more than its namespace, and selects nothing. */
function checkSelection(
  resource: Policy,
  mesh: Pick<Mesh, "workloads" | "options">,
  diagnostics: Diagnostics,
): void {
  const { spec } = resource;
  if (!isSelective(spec) || selects(resource, mesh)) return;
  const [path, what] = spec.selector
    ? ["spec.selector.matchLabels", "workload of namespace %s has these labels"]
    : [spec.targetRefs ? "spec.targetRefs" : "spec.targetRef", "proxy of these Gateways is in namespace %s"];
  const message = `no ${what.replace("%s", resource.namespace)}: the policy protects nothing yet`;
  diagnostics.warning("IST0127", resource.origins.at(path), message);
}

/** A workload that a policy selected when it was last looked for: it mostly still does. */
const selected = new WeakMap<object, string>();

function selects(policy: Policy, mesh: Pick<Mesh, "workloads" | "options">): boolean {
  const { workloads, options } = mesh;
  const isIts = (workload: MeshWorkload | undefined) =>
    workload !== undefined && isForWorkload(policy, workload, options);
  if (isIts(workloads.get(selected.get(policy) ?? ""))) return true;
  const isAnywhere = policy.namespace === options.rootNamespace;
  const candidates = isAnywhere ? workloads.values() : (byNamespace(workloads).get(policy.namespace) ?? []);
  for (const workload of candidates) {
    if (!isIts(workload)) continue;
    selected.set(policy, workload.id);
    return true;
  }
  return false;
}

const byNamespace = keepLatest((workloads: Mesh["workloads"]) =>
  Map.groupBy(workloads.values(), ({ namespace }) => namespace),
);
