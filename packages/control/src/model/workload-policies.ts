import { type Diagnostics, type Told, told } from "@weft/base/diagnostics";
import { KeptFor } from "@weft/base/kept-for";
import { formatOrigin } from "@weft/base/origin";
import { isDryRun } from "../config/check-authorization-policy.ts";
import type { ResourceOf } from "../config/resource.ts";
import { didYouMean } from "../config/suggest.ts";
import { buildJwtRules } from "./build-jwt-rules.ts";
import type { KeySets } from "./key-source.ts";
import type { MeshWorkload } from "./mesh.ts";
import type { MeshOptions } from "./mesh-options.ts";
import { PolicyIndex } from "./policy-target.ts";
import { provenanceOf } from "./provenance.ts";
import type { AuthorizationPolicy, JwtRule } from "./security.ts";
import type { ResourcesByKind } from "./sorting.ts";
import { WorkloadSignals } from "./workload-signals.ts";

/** What a workload demands of its callers, and tells of calls. */
type Demands = Pick<MeshWorkload, "jwtRules" | "policies" | "signals">;

type Authorization = ResourceOf<"AuthorizationPolicy">;
type Authentication = ResourceOf<"RequestAuthentication">;

const authorizations = new KeptFor<Authorization, Told<AuthorizationPolicy>>();
const authentications = new KeptFor<Authentication, Told<readonly JwtRule[]>>();

/** Which policies hold for which workload; each is built once, whoever it is for, and as long as it is the same. */
export class WorkloadPolicies {
  readonly #policies: PolicyIndex<Authorization>;
  readonly #signals: WorkloadSignals;
  readonly #rules: PolicyIndex<Authentication>;
  readonly #built = new Map<Authorization, AuthorizationPolicy>();
  readonly #builtRules = new Map<Authentication, readonly JwtRule[]>();

  constructor(
    resources: Pick<ResourcesByKind, "AuthorizationPolicy" | "RequestAuthentication" | "Telemetry">,
    keySets: KeySets,
    options: MeshOptions,
    diagnostics: Diagnostics,
  ) {
    for (const resource of resources.AuthorizationPolicy) {
      const { made, said } = authorizations.get(resource, [options], () =>
        told((own) => {
          checkProvider(resource, options, own);
          return toPolicy(resource);
        }),
      );
      diagnostics.add(said);
      this.#built.set(resource, made);
    }
    this.#signals = new WorkloadSignals(resources.Telemetry, options, diagnostics);
    for (const resource of resources.RequestAuthentication) {
      const { made, said } = authentications.get(resource, [keySets], () =>
        told((own) => buildJwtRules(resource, keySets, own)),
      );
      diagnostics.add(said);
      this.#builtRules.set(resource, made);
    }
    this.#policies = new PolicyIndex(resources.AuthorizationPolicy, options);
    this.#rules = new PolicyIndex(resources.RequestAuthentication, options);
  }

  of(workload: Pick<MeshWorkload, "namespace" | "labels">): Demands {
    const signals = this.#signals.of(workload);
    return {
      ...(signals ? { signals } : {}),
      jwtRules: this.#rules
        .of(workload)
        .flatMap((resource) => this.#builtRules.get(resource)!)
        .sort(byIssuer),
      policies: this.#policies.of(workload).map((resource) => this.#built.get(resource)!),
    };
  }
}

/** Without it there is nobody to ask, and what is to be asked about is denied. */
function checkProvider(
  { namespace, name, spec, origins }: Authorization,
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

function toPolicy(resource: Authorization): AuthorizationPolicy {
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
