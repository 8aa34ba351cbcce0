import type { SecretRefSpec } from "../../config/gateway-api-specs.ts";
import type { ResourceOf } from "../../config/resource.ts";
import type { SecretCertificate } from "../gateway.ts";
import type { ResourcesByKind } from "../sorting.ts";
import { certificateOf, type TlsSecrets } from "../tls-secret.ts";
import { NamespaceLabels } from "./namespace-labels.ts";
import { isReferenceGranted } from "./reference-grants.ts";
import { type RefFault, type TrustByName, type TrustRef, trustByName } from "./trust-refs.ts";

export const apiGroup = "gateway.networking.k8s.io";

/** Whose references are followed. */
export interface Referrer {
  readonly kind: "Gateway" | "ListenerSet";
  readonly namespace: string;
}

/** Where what Gateways and ListenerSets refer to is looked up, as far as they may. */
export class GatewayLookup {
  readonly namespaces: NamespaceLabels;
  readonly trust: TrustByName;
  readonly #grants: readonly ResourceOf<"ReferenceGrant">[];
  readonly #secrets: TlsSecrets;

  constructor(
    resources: Pick<ResourcesByKind, "Namespace" | "ConfigMap" | "ReferenceGrant">,
    secrets: TlsSecrets,
  ) {
    this.namespaces = new NamespaceLabels(resources.Namespace);
    this.trust = trustByName(resources.ConfigMap);
    this.#grants = resources.ReferenceGrant;
    this.#secrets = secrets;
  }

  /** Why a reference into another namespace may not be followed; undefined where it may. */
  refusal({ kind, namespace }: Referrer, to: Required<TrustRef>): string | undefined {
    const from = { group: apiGroup, kind, namespace };
    if (isReferenceGranted({ from, to }, this.#grants)) return undefined;
    return `no ReferenceGrant of ${to.namespace} lets ${kind}s of ${namespace} have ${to.kind} ${to.name}`;
  }

  /**
   * The Secret that a reference means, and what is wrong with it; whether there
   * is one is not told to whom it is refused.
   *
   * @param badReason of a reference to something else, or to what is not there
   */
  certificate(
    { group = "", kind = "Secret", name, namespace }: SecretRefSpec,
    referrer: Referrer,
    badReason: string,
  ): { readonly certificate: SecretCertificate; readonly fault?: Omit<RefFault, "path"> } {
    const of = namespace ?? referrer.namespace;
    const refused = this.refusal(referrer, { group, kind, namespace: of, name });
    const isSecret = group === "" && kind === "Secret";
    if (refused || !isSecret) {
      // No name that a Secret could have.
      const certificate = { secret: `${of}/${name} (not to be had)` };
      if (refused) return { certificate, fault: { reason: "RefNotPermitted", message: refused } };
      return { certificate, fault: { reason: badReason, message: `${kind} ${name} is no Secret` } };
    }
    const certificate = { secret: name, namespace: of };
    if (certificateOf(this.#secrets, of, name)) return { certificate };
    const message = `there is no Secret ${of}/${name} with a certificate and its key`;
    return { certificate, fault: { reason: badReason, message } };
  }
}
