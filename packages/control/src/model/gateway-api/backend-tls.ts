import type { PolicyTargetRefSpec } from "../../config/gateway-api-specs.ts";
import type { ResourceOf } from "../../config/resource.ts";
import { provenanceOf } from "../provenance.ts";
import type { ServicePort } from "../service.ts";
import type { ServiceDraft } from "../service-draft.ts";
import type { ResourcesByKind } from "../sorting.ts";
import type { BackendTls, ClientTls } from "../traffic-policy.ts";
import { byAge } from "./by-age.ts";
import { type RefFault, resolveTrust, type TrustByName, trustByName } from "./trust-refs.ts";

type Policy = ResourceOf<"BackendTLSPolicy">;

/** What a policy says of a server, and what of it is not there. */
interface Resolved {
  readonly tls: ClientTls;
  readonly problems: readonly RefFault[];
}

/**
 * The BackendTLSPolicies of a mesh by what they are for. Of several for one
 * port the one that names the port is in force before one for the whole
 * service, and of those alike the older, then the first by name.
 */
export class BackendTlsPolicies {
  readonly #winners = new Map<string, Policy>();
  readonly #resolved = new Map<Policy, Resolved>();
  readonly #trust: TrustByName;

  constructor({ BackendTLSPolicy, ConfigMap }: Pick<ResourcesByKind, "BackendTLSPolicy" | "ConfigMap">) {
    this.#trust = trustByName(ConfigMap);
    for (const policy of BackendTLSPolicy.toSorted(byAge)) {
      for (const target of policy.spec.targetRefs) {
        const key = targetKey(target, policy.namespace);
        if (key !== undefined && !this.#winners.has(key)) this.#winners.set(key, policy);
      }
    }
  }

  /** The policy that a target has in place of this one. */
  rivalOf(policy: Policy, target: PolicyTargetRefSpec): Policy | undefined {
    const winner = this.#winners.get(targetKey(target, policy.namespace) ?? "");
    return winner === policy ? undefined : winner;
  }

  /** The ports of a service with TLS of a policy; empty where there is none. */
  of({ service, entry }: Pick<ServiceDraft, "service" | "entry">): BackendTls[] {
    if (this.#winners.size === 0) return [];
    const kind = entry ? "ServiceEntry" : "Service";
    const owner = `${kind}/${service.namespace}/${entry ? entry.name : service.name}`;
    return service.ports.flatMap(({ name, number }: ServicePort) => {
      const policy = this.#winners.get(`${owner}/${name}`) ?? this.#winners.get(`${owner}/`);
      return policy ? [{ port: number, tls: this.resolve(policy).tls }] : [];
    });
  }

  /** The very same object each time. */
  resolve(policy: Policy): Resolved {
    let resolved = this.#resolved.get(policy);
    if (!resolved) {
      resolved = this.#resolve(policy);
      this.#resolved.set(policy, resolved);
    }
    return resolved;
  }

  #resolve(policy: Policy): Resolved {
    const { hostname, subjectAltNames = [], caCertificateRefs = [] } = policy.spec.validation;
    const { roots, faults: problems } = resolveTrust(caCertificateRefs, "spec.validation.caCertificateRefs", {
      trust: this.#trust,
      namespace: policy.namespace,
      kindReason: "InvalidKind",
    });
    const names = subjectAltNames.map((name) => (name.type === "URI" ? name.uri! : name.hostname!));
    return {
      tls: {
        mode: "SIMPLE",
        sni: hostname,
        subjectAltNames: names.length > 0 ? names : [hostname],
        source: provenanceOf(policy),
        showsGatewayCertificate: true as const,
        ...(roots.length > 0 ? { rootsPem: roots.join("\n") } : {}),
        // Whom nothing verifies nobody may talk to.
        ...(caCertificateRefs.length > 0 && roots.length === 0 ? { isUnverifiable: true as const } : {}),
      },
      problems,
    };
  }
}

/** Undefined where that is no kind of backend. */
function targetKey({ group, kind, name, sectionName = "" }: PolicyTargetRefSpec, namespace: string) {
  const isKnown =
    (group === "" && kind === "Service") || (group === "networking.istio.io" && kind === "ServiceEntry");
  return isKnown ? `${kind}/${namespace}/${name}/${sectionName}` : undefined;
}
