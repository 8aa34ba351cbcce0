import type { TLSSocket } from "node:tls";
import type { GrpcTarget } from "@weft/xds/grpc/dial";
import type { ClusterPlan, EndpointPlan } from "../cluster/cluster-plan.ts";
import { PeerCertificate } from "../net/peer-certificate.ts";
import type { UpstreamTlsPlan } from "../net/tls-plan.ts";

/**
 * How to reach the first endpoint of a static cluster for gRPC: management
 * servers are dialled directly, not through the data plane they configure.
 * Undefined when the cluster has no endpoint.
 */
export function grpcTarget(plan: ClusterPlan, authority: string | undefined): GrpcTarget | undefined {
  const endpoint = firstEndpoint(plan);
  if (!endpoint) return undefined;
  const transport = plan.transports.find(({ match }) =>
    match.every(([key, value]) => endpoint.metadata.get("envoy.transport_socket_match")?.get(key) === value),
  );
  const { address } = endpoint;
  const tls = transport?.tls;
  return {
    address: address.kind === "pipe" ? { path: address.path } : { host: address.host, port: address.port },
    authority,
    ...(tls ? { tls: () => clientTls(tls, address.kind === "ip" ? address.host : "") } : {}),
  };
}

function firstEndpoint({ discovery }: ClusterPlan): EndpointPlan | undefined {
  if (!("endpoints" in discovery)) return undefined;
  for (const locality of discovery.endpoints) {
    for (const endpoint of locality.endpoints) return endpoint;
  }
  return undefined;
}

function clientTls(plan: UpstreamTlsPlan, host: string) {
  const secureContext = plan.context.current;
  if (!secureContext) throw new Error("its certificate has not arrived yet");
  return {
    options: {
      secureContext,
      servername: plan.sni ?? host,
      rejectUnauthorized: plan.verifiesPeer,
      // Names are judged by the plan's own matchers, below, as everywhere in this proxy.
      checkServerIdentity: () => undefined,
    },
    verifyPeer(socket: TLSSocket): string | undefined {
      if (!plan.matchesSan) return undefined;
      const certificate = socket.getPeerX509Certificate();
      const peer = certificate && plan.verifiesPeer ? new PeerCertificate(certificate) : undefined;
      if (peer && plan.matchesSan(peer)) return undefined;
      return `the server's certificate is for ${peer?.uris.join(", ") || peer?.subject || "nobody"}, which is not expected`;
    },
  };
}
