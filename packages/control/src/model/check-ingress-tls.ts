import { Diagnostics } from "@weft/base/diagnostics";
import { keepLatest } from "@weft/base/keep-latest";
import type { ResourceOf } from "../config/resource.ts";
import type { Mesh } from "./mesh.ts";
import { provenanceOf } from "./provenance.ts";

/** Names TLS of a Sidecar's ingress that a workload does not offer, since its port demands mutual TLS. */
export const idleIngressTls = keepLatest(
  (workloads: Mesh["workloads"], sidecars: readonly ResourceOf<"Sidecar">[]) => {
    const diagnostics = new Diagnostics();
    for (const sidecar of sidecars) {
      const { spec, origins } = sidecar;
      if (!spec.ingress?.some(({ tls }) => tls)) continue;
      const { config } = provenanceOf(sidecar);
      for (const [i, { port, tls }] of spec.ingress.entries()) {
        if (!tls) continue;
        const strict = workloads
          .values()
          .find(({ inbound }) =>
            inbound.some(
              (own) =>
                own.port === port.number && own.ownTls?.source.config === config && own.mtlsMode === "STRICT",
            ),
          );
        if (!strict) continue;
        diagnostics.warning(
          "W2134",
          origins.at(`spec.ingress[${i}].tls`),
          `port ${port.number} of ${strict.id} takes mutual TLS of members only: its own TLS is not offered`,
          "write a PeerAuthentication with PERMISSIVE or DISABLE for the port",
        );
      }
    }
    return diagnostics.all;
  },
);
