/** Kinds that shape the mesh: the only ones `parseConfig` returns. */
export const meshKinds = [
  "Service",
  "EndpointSlice",
  "Endpoints",
  "VirtualService",
  "DestinationRule",
  "ServiceEntry",
  "WorkloadEntry",
  "WorkloadGroup",
  "Sidecar",
  "ProxyConfig",
  "PeerAuthentication",
  "RequestAuthentication",
  "AuthorizationPolicy",
  "Telemetry",
  "HTTPRoute",
  "GRPCRoute",
  "TLSRoute",
  "TCPRoute",
  "BackendTLSPolicy",
  "ReferenceGrant",
  "Gateway",
  "GatewayClass",
  "KubernetesGateway",
  "ListenerSet",
  "Namespace",
  "Secret",
  "ConfigMap",
  "Canary",
  "MetricTemplate",
  "AlertProvider",
  "ClusterFederatedTrustDomain",
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

/** Kinds of the same APIs that Weft knows and does not serve, reported by name where they stand; and what to do instead. */
export const laterKinds: ReadonlyMap<string, Readonly<Record<string, string>>> = new Map<
  string,
  Readonly<Record<string, string>>
>([
  [
    "networking.istio.io",
    {
      EnvoyFilter:
        "a patch fits one data plane's configuration, and a mesh has several: write VirtualService, DestinationRule or an AuthorizationPolicy with a provider; what 'weft proxy -c' runs takes the filter itself (docs/filters.md)",
    },
  ],
  [
    "extensions.istio.io",
    {
      WasmPlugin:
        "no WebAssembly is run: write an AuthorizationPolicy with a provider (ext_authz), or with 'weft proxy -c' a module filter (docs/filters.md)",
      TrafficExtension:
        "no WebAssembly or Lua is run: write an AuthorizationPolicy with a provider (ext_authz), or with 'weft proxy -c' a module filter (docs/filters.md)",
    },
  ],
  [
    "gateway.networking.k8s.io",
    {
      UDPRoute: "only TCP is carried by the mesh",
    },
  ],
  [
    "spire.spiffe.io",
    {
      ClusterSPIFFEID: "identities are given by join tokens (docs/architecture.md)",
      ClusterStaticEntry: "identities are given by join tokens (docs/architecture.md)",
    },
  ],
]);

/** API groups of Kubernetes itself: they describe where things run, which Weft learns elsewhere. */
export function isKubernetesGroup(group: string): boolean {
  if (["", "apps", "batch", "policy", "autoscaling", "extensions"].includes(group)) return true;
  return group.endsWith(".k8s.io") || group === "cert-manager.io";
}
