import type { Diagnostics } from "@weft/base/diagnostics";
import { formatOrigin } from "@weft/base/origin";
import { isDryRun } from "../config/check-authorization-policy.ts";
import type { ResourceOf } from "../config/resource.ts";
import { didYouMean } from "../config/suggest.ts";
import { buildJwtRules } from "./build-jwt-rules.ts";
import type { KeySets } from "./key-source.ts";
import type { MeshWorkload } from "./mesh.ts";
import type { MeshOptions } from "./mesh-options.ts";
import { isForWorkload } from "./policy-target.ts";
import { provenanceOf } from "./provenance.ts";
import type { AuthorizationPolicy, JwtRule } from "./security.ts";
import type { ResourcesByKind } from "./sorting.ts";
import { WorkloadSignals } from "./workload-signals.ts";

/** What a workload demands of its callers, and tells of calls. */
type Demands = Pick<MeshWorkload, "jwtRules" | "policies" | "signals">;

/** Which policies hold for which workload; each is built once, whoever it is for. */
export class WorkloadPolicies {
  readonly #options: MeshOptions;
  readonly #policies: readonly (readonly [ResourceOf<"AuthorizationPolicy">, AuthorizationPolicy])[];
  readonly #signals: WorkloadSignals;
  readonly #rules: readonly (readonly [ResourceOf<"RequestAuthentication">, readonly JwtRule[]])[];

  constructor(
    resources: Pick<ResourcesByKind, "AuthorizationPolicy" | "RequestAuthentication" | "Telemetry">,
    keySets: KeySets,
    options: MeshOptions,
    diagnostics: Diagnostics,
  ) {
    this.#options = options;
    this.#policies = resources.AuthorizationPolicy.map((resource) => {
      checkProvider(resource, options, diagnostics);
      return [resource, toPolicy(resource)];
    });
    this.#signals = new WorkloadSignals(resources.Telemetry, options, diagnostics);
    this.#rules = resources.RequestAuthentication.map((resource) => [
      resource,
      buildJwtRules(resource, keySets, diagnostics),
    ]);
  }

  of(workload: Pick<MeshWorkload, "namespace" | "labels">): Demands {
    const isMeant = (resource: Parameters<typeof isForWorkload>[0]) =>
      isForWorkload(resource, workload, this.#options);
    const signals = this.#signals.of(workload);
    return {
      ...(signals ? { signals } : {}),
      jwtRules: this.#rules.flatMap(([resource, rules]) => (isMeant(resource) ? rules : [])).sort(byIssuer),
      policies: this.#policies.flatMap(([resource, policy]) => (isMeant(resource) ? policy : [])),
    };
  }
}

/** Without it there is nobody to ask, and what is to be asked about is denied. */
function checkProvider(
  { namespace, name, spec, origins }: ResourceOf<"AuthorizationPolicy">,
  { defaults }: MeshOptions,
  diagnostics: Diagnostics,
): void {
  const provider = spec.provider?.name;
  if (!provider || Object.hasOwn(defaults.authorizationProviders, provider)) return;
  const known = Object.keys(defaults.authorizationProviders);
  const hint =
    didYouMean(provider, known) ??
    (known.length > 0
      ? `there is ${known.join(", ")}`
      : "name it in MeshConfig's extensionProviders (--mesh-config)");
  const message = `there is no provider ${provider}: what ${namespace}/${name} matches is denied`;
  diagnostics.error("W2113", origins.at("spec.provider.name"), message, hint);
}

function toPolicy(resource: ResourceOf<"AuthorizationPolicy">): AuthorizationPolicy {
  return {
    action: resource.spec.action ?? "ALLOW",
    provider: resource.spec.provider?.name ?? "",
    isDryRun: isDryRun(resource.annotations),
    name: resource.name,
    namespace: resource.namespace,
    rules: (resource.spec.rules ?? []).map((rule, i) => ({
      origin: formatOrigin(resource.origins.at(`spec.rules[${i}]`)),
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
