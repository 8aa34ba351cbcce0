import { parseCertificates } from "@weft/identity/certificate";
import { trustDomainId } from "@weft/identity/spiffe-id";
import { SpiffeWorkloadAPI } from "@weft/xds/gen/spiffe/workload/workload_pb";
import type { GrpcRoute } from "@weft/xds/grpc/grpc-route";
import { streamRoute } from "./stream-route.ts";
import type { WorkloadState } from "./workload-state.ts";

/** The X.509 profile of the Workload API: the workload's certificate with its key, and whom to trust. */
export function x509Routes(state: WorkloadState): readonly GrpcRoute[] {
  const { fetchX509SVID, fetchX509Bundles } = SpiffeWorkloadAPI.method;
  return [
    streamRoute(fetchX509SVID, state, () => {
      const { spiffeId, chainPem, keys, bundlePem } = state.svid;
      const x509SvidKey = keys.privateKey.export({ type: "pkcs8", format: "der" });
      return {
        svids: [{ spiffeId, x509Svid: derOf(chainPem), x509SvidKey, bundle: derOf(bundlePem) }],
        federatedBundles: foreignBundles(state),
      };
    }),
    streamRoute(fetchX509Bundles, state, () => {
      const { bundle, bundlePem } = state.svid;
      return { bundles: { [trustDomainId(bundle.trustDomain)]: derOf(bundlePem), ...foreignBundles(state) } };
    }),
  ];
}

function foreignBundles({ foreign }: WorkloadState): Record<string, Uint8Array> {
  return Object.fromEntries(
    foreign
      .filter(({ bundle }) => bundle.roots.length > 0)
      .map(({ bundle: { trustDomain, roots } }) => [
        trustDomainId(trustDomain),
        Buffer.concat(roots.map(({ x509 }) => x509.raw)),
      ]),
  );
}

/** Certificates one after the other. */
function derOf(pem: string): Uint8Array {
  return Buffer.concat(parseCertificates(pem, maxCertificates).map(({ x509 }) => x509.raw));
}

const maxCertificates = 16;
