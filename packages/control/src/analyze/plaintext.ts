import type { Analyzer } from "./analyzer.ts";

/** W2413: where calls without mutual TLS are taken, nobody knows who calls. For information: it may be meant. */
export const findPlaintext: Analyzer = ({ mesh, resources }, diagnostics) => {
  for (const { spec, origins, namespace } of resources.PeerAuthentication) {
    const mode = spec.mtls?.mode;
    if (mode !== "PERMISSIVE" && mode !== "DISABLE") continue;
    const isSelective = Object.keys(spec.selector?.matchLabels ?? {}).length > 0;
    const whole =
      namespace === mesh.options.rootNamespace ? "all workloads" : `all workloads of ${namespace}`;
    const taken = mode === "DISABLE" ? "take plain text only" : "take plain text beside mutual TLS";
    diagnostics.info(
      "W2413",
      origins.at("spec.mtls.mode"),
      `${isSelective ? "these workloads" : whole} ${taken}: callers have no identity there`,
      "write STRICT once every caller has a sidecar",
    );
  }
};
