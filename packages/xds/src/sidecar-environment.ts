/**
 * What an agent puts into the environment of its data plane, for the tags of
 * spans: listeners that name a variable are the same for all workloads.
 */
export const sidecarEnvironment = {
  canonicalService: "WEFT_CANONICAL_SERVICE",
  canonicalRevision: "WEFT_CANONICAL_REVISION",
  clusterId: "WEFT_CLUSTER_ID",
  meshId: "WEFT_MESH_ID",
  namespace: "WEFT_NAMESPACE",
} as const;
