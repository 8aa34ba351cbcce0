/** As Istio and Kubernetes name the parts of a locality, from the widest to the narrowest. */
export const topologyNames: readonly string[] = [
  "topology.kubernetes.io/region",
  "topology.kubernetes.io/zone",
  "topology.istio.io/subzone",
];
