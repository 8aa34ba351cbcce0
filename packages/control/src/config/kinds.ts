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
  "Secret",
] as const;

export type MeshKind = (typeof meshKinds)[number];

/** Kinds of the same APIs that Weft knows and does not serve yet: reported by name where they stand. */
export const laterKinds: ReadonlyMap<string, readonly string[]> = new Map([
  ["networking.istio.io", ["EnvoyFilter", "ProxyConfig"]],
  ["telemetry.istio.io", ["Telemetry"]],
  ["extensions.istio.io", ["WasmPlugin", "TrafficExtension"]],
  ["gateway.networking.k8s.io", ["GatewayClass", "Gateway", "UDPRoute", "BackendTLSPolicy"]],
]);

/** API groups of Kubernetes itself: they describe where things run, which Weft learns elsewhere. */
export function isKubernetesGroup(group: string): boolean {
  if (["", "apps", "batch", "policy", "autoscaling", "extensions"].includes(group)) return true;
  return group.endsWith(".k8s.io") || group === "cert-manager.io";
}
