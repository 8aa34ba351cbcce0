import {
  parseSpiffeId,
  pathOf,
  type SpiffeId,
  SpiffeIdError,
  type TrustDomain,
  trustDomainOf,
} from "./spiffe-id.ts";

/** Who a workload is: what `/ns/<namespace>/sa/<service-account>` says. */
export interface WorkloadIdentity {
  readonly trustDomain: TrustDomain;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** Where the mesh's own parts live. No workload is given an identity in it. */
export const systemNamespace = "weft-system";

const label = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const maxServiceAccountLength = 253;

/**
 * The SPIFFE ID of a workload. Namespace and service account follow
 * Kubernetes' rules for their names, so that an ID means the same there.
 *
 * @throws SpiffeIdError
 */
export function workloadSpiffeId(
  trustDomain: TrustDomain,
  namespace: string,
  serviceAccount: string,
): SpiffeId {
  if (!label.test(namespace)) throw notAName("namespace", namespace, 63);
  if (!isServiceAccount(serviceAccount)) {
    throw notAName("service account", serviceAccount, maxServiceAccountLength);
  }
  return parseSpiffeId(`spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`);
}

/** The inverse of `workloadSpiffeId`; undefined when the ID is not a workload's. */
export function parseWorkloadId(id: SpiffeId): WorkloadIdentity | undefined {
  const segments = pathOf(id).split("/");
  if (segments.length !== 5) return undefined;
  const [, ns, namespace, sa, serviceAccount] = segments as [string, string, string, string, string];
  if (ns !== "ns" || sa !== "sa") return undefined;
  if (!label.test(namespace) || !isServiceAccount(serviceAccount)) return undefined;
  return { trustDomain: trustDomainOf(id), namespace, serviceAccount };
}

/** The identity of the control plane itself: what agents demand of it at every contact. */
export function controlPlaneSpiffeId(trustDomain: TrustDomain): SpiffeId {
  return workloadSpiffeId(trustDomain, systemNamespace, "weft-control-plane");
}

function isServiceAccount(text: string): boolean {
  return text.length <= maxServiceAccountLength && text.split(".").every((part) => label.test(part));
}

function notAName(what: string, text: string, maxLength: number): SpiffeIdError {
  return new SpiffeIdError(
    `${JSON.stringify(text.slice(0, 80))} is not a ${what}: lower-case letters, digits and dashes, at most ${maxLength} characters`,
  );
}
