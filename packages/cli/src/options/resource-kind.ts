import { meshKinds } from "@weft/control/config/kinds";
import { InvalidArgumentError } from "commander";

/** Short names, as kubectl and istioctl users type them. */
const shortNames: Readonly<Record<string, string>> = {
  svc: "Service",
  ep: "Endpoints",
  vs: "VirtualService",
  dr: "DestinationRule",
  se: "ServiceEntry",
  we: "WorkloadEntry",
  wg: "WorkloadGroup",
  pa: "PeerAuthentication",
  ra: "RequestAuthentication",
  ap: "AuthorizationPolicy",
  refgrant: "ReferenceGrant",
  hr: "HTTPRoute",
  gw: "Gateway",
  gc: "GatewayClass",
  lset: "ListenerSet",
  ns: "Namespace",
  gtw: "KubernetesGateway",
  cftd: "ClusterFederatedTrustDomain",
};

/** The kind someone means by `vs`, `virtualservice`, `VirtualServices` …; undefined for `all`. */
export function parseKind(text: string): string | undefined {
  const word = text.toLowerCase();
  if (word === "all") return undefined;
  const found =
    shortNames[word] ??
    meshKinds.find((kind) => {
      const singular = kind.toLowerCase();
      const plurals = [`${singular}s`, `${singular}es`, singular.replace(/y$/, "ies")];
      return singular === word || plurals.includes(word);
    });
  if (!found) {
    throw new InvalidArgumentError(
      `there is no kind "${text}": use all, ${meshKinds.join(", ")}, or a short name (${Object.keys(shortNames).join(", ")}).`,
    );
  }
  return found;
}
