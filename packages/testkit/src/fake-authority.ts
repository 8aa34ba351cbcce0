import { type Clock, systemClock } from "@weft/base/clock";
import { spkiPin } from "@weft/identity/certificate";
import { formatJoinToken, newJoinToken } from "@weft/identity/join-token";
import { parseSpiffeId, parseTrustDomain, type SpiffeId, type TrustDomain } from "@weft/identity/spiffe-id";
import { verifyCsr } from "@weft/identity/verify-csr";
import { IstioCertificateService } from "@weft/xds/gen/istio/v1/auth/ca_pb";
import { type GrpcRoute, unaryRoute } from "@weft/xds/grpc/grpc-route";
import { GrpcServer } from "@weft/xds/grpc/grpc-server";
import { GrpcError, grpcCode } from "@weft/xds/grpc/grpc-status";
import { TestCa } from "./test-ca.ts";

export interface FakeAuthority {
  /** Where it listens, and the workload it issues to. */
  readonly target: {
    readonly host: string;
    readonly port: number;
    readonly trustDomain: TrustDomain;
    readonly spiffeId: SpiffeId;
    readonly clock: Clock;
  };
  readonly ca: TestCa;
  readonly token: string;
  /** What callers showed: "Bearer …" or a SPIFFE ID. */
  readonly callers: string[];
  /** Answers the next requests with this instead. */
  refusal: GrpcError | undefined;
  /** Issues to this identity, whatever was asked for. */
  issueTo: string | undefined;
  close(): Promise<void>;
}

/** A control plane's certificate service in this process: a real TLS server, real certificates, no decisions. */
export async function startFakeAuthority(
  options: { readonly servedAs?: string; readonly routes?: readonly GrpcRoute[] } = {},
): Promise<FakeAuthority> {
  const ca = new TestCa();
  const serving = ca.leaf("weft-system", options.servedAs ?? "weft-control-plane");
  const callers: string[] = [];
  const issue = unaryRoute(IstioCertificateService.method.createCertificate, async ({ csr }, call) => {
    callers.push(call.metadata("authorization") ?? call.peer.spiffeId ?? "");
    if (fake.refusal) throw fake.refusal;
    const { publicKey, spiffeId } = verifyCsr(csr);
    // The private key is the caller's alone; the fixture wants one and does not use it.
    const keys = { publicKey, privateKey: ca.rootKeys.privateKey };
    const leaf = ca.leaf("default", "web", { keys, uris: [fake.issueTo ?? spiffeId] });
    return { certChain: [leaf.certificate.pem, ca.bundlePem] };
  });
  const server = new GrpcServer({
    clock: systemClock,
    routes: [issue, ...(options.routes ?? [])],
    tls: { key: serving.keyPem, certificateChain: serving.chainPem, trustBundle: ca.bundlePem },
    onError: (error) => {
      throw error;
    },
  });
  const { port } = await server.listen({ host: "127.0.0.1", port: 0 });
  const trustDomain = parseTrustDomain("cluster.local");
  const fake: FakeAuthority = {
    ca,
    callers,
    refusal: undefined,
    issueTo: undefined,
    token: formatJoinToken(newJoinToken(spkiPin(ca.root))),
    target: {
      host: "127.0.0.1",
      port,
      trustDomain,
      spiffeId: parseSpiffeId("spiffe://cluster.local/ns/default/sa/web"),
      clock: systemClock,
    },
    close: () => server.close(),
  };
  return fake;
}

export function refusal(code: keyof typeof grpcCode, message: string): GrpcError {
  return new GrpcError(grpcCode[code], message);
}
