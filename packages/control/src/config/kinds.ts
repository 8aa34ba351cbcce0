/** Kinds that shape the mesh: the only ones `parseConfig` returns. */
export const meshKinds = [
  "Service",
  "VirtualService",
  "DestinationRule",
  "ServiceEntry",
  "WorkloadEntry",
  "WorkloadGroup",
  "Sidecar",
  "PeerAuthentication",
  "RequestAuthentication",
  "AuthorizationPolicy",
  "HTTPRoute",
  "GRPCRoute",
  "TLSRoute",
  "TCPRoute",
  "ReferenceGrant",
  "Gateway",
  "GatewayClass",
  "KubernetesGateway",
  "Secret",
] as const;

export type MeshKind = (typeof meshKinds)[number];

/**
 * The kind of a document by the word and the API group in it. Two APIs have a
 * Gateway: the Gateway API's goes by the name that Istio gives it.
 */
export function meshKindOf(word: string, group: string): MeshKind | undefined {
  if (word === "Gateway" && group === "gateway.networking.k8s.io") return "KubernetesGateway";
  return word === "KubernetesGateway" ? undefined : meshKinds.find((kind) => kind === word);
}

/** The API group of an `apiVersion`; "" for Kubernetes' own. */
export function groupOf(apiVersion: string): string {
  return apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
}

/** Kinds of the same APIs that Weft knows and does not serve yet: reported by name where they stand. */
export const laterKinds: ReadonlyMap<string, readonly string[]> = new Map([
  ["networking.istio.io", ["EnvoyFilter", "ProxyConfig"]],
  ["telemetry.istio.io", ["Telemetry"]],
  ["extensions.istio.io", ["WasmPlugin", "TrafficExtension"]],
  ["gateway.networking.k8s.io", ["UDPRoute", "BackendTLSPolicy"]],
]);

/** API groups of Kubernetes itself: they describe where things run, which Weft learns elsewhere. */
export function isKubernetesGroup(group: string): boolean {
  if (["", "apps", "batch", "policy", "autoscaling", "extensions"].includes(group)) return true;
  return group.endsWith(".k8s.io") || group === "cert-manager.io";
}
