import type { Diagnostics } from "@weft/base/diagnostics";
import type { ResourceOf } from "../config/resource.ts";
import { buildJwtRules } from "./build-jwt-rules.ts";
import type { KeySets } from "./key-source.ts";
import type { MeshOptions, MeshWorkload } from "./mesh.ts";
import { isForWorkload } from "./policy-target.ts";
import { provenanceOf } from "./provenance.ts";
import type { AuthorizationPolicy, JwtRule } from "./security.ts";
import type { ResourcesByKind } from "./sorting.ts";

/** What a workload demands of its callers. */
type Demands = Pick<MeshWorkload, "jwtRules" | "policies">;

/** Which policies hold for which workload; each is built once, whoever it is for. */
export class WorkloadPolicies {
  readonly #options: MeshOptions;
  readonly #policies: readonly (readonly [ResourceOf<"AuthorizationPolicy">, AuthorizationPolicy])[];
  readonly #rules: readonly (readonly [ResourceOf<"RequestAuthentication">, readonly JwtRule[]])[];

  constructor(
    resources: Pick<ResourcesByKind, "AuthorizationPolicy" | "RequestAuthentication">,
    keySets: KeySets,
    options: MeshOptions,
    diagnostics: Diagnostics,
  ) {
    this.#options = options;
    this.#policies = resources.AuthorizationPolicy.map((resource) => [resource, toPolicy(resource)]);
    this.#rules = resources.RequestAuthentication.map((resource) => [
      resource,
      buildJwtRules(resource, keySets, diagnostics),
    ]);
  }

  of(workload: Pick<MeshWorkload, "namespace" | "labels">): Demands {
    const isMeant = (resource: Parameters<typeof isForWorkload>[0]) =>
      isForWorkload(resource, workload, this.#options);
    return {
      jwtRules: this.#rules.flatMap(([resource, rules]) => (isMeant(resource) ? rules : [])).sort(byIssuer),
      policies: this.#policies.flatMap(([resource, policy]) => (isMeant(resource) ? policy : [])),
    };
  }
}

function toPolicy(resource: ResourceOf<"AuthorizationPolicy">): AuthorizationPolicy {
  return {
    action: resource.spec.action ?? "ALLOW",
    name: resource.name,
    namespace: resource.namespace,
    rules: (resource.spec.rules ?? []).map((rule) => ({
      from: (rule.from ?? []).flatMap(({ source }) => source ?? []),
      to: (rule.to ?? []).flatMap(({ operation }) => operation ?? []),
      when: rule.when ?? [],
    })),
    source: provenanceOf(resource),
  };
}

function byIssuer(a: JwtRule, b: JwtRule): number {
  return a.issuer < b.issuer ? -1 : a.issuer > b.issuer ? 1 : 0;
}
