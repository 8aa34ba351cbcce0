import { isIP } from "node:net";
import { MeshError } from "@weft/base/errors";
import { parseSpiffeId } from "@weft/identity/spiffe-id";
import { type IstioCertificateRequest, IstioCertificateService } from "@weft/xds/gen/istio/v1/auth/ca_pb";
import { type GrpcRoute, unaryRoute } from "@weft/xds/grpc/grpc-route";
import { type GrpcCode, GrpcError, grpcCode } from "@weft/xds/grpc/grpc-status";
import type { ServerCall } from "@weft/xds/grpc/server-call";
import type {
  Caller,
  CertificateAnswer,
  CertificateRequest,
  RefusalCode,
} from "../ca/certificate-request.ts";

/** Decides about a certificate request. Rejecting is a failure of the authority, not a refusal. */
export type CreateCertificate = (request: CertificateRequest) => Promise<CertificateAnswer>;

/** What a refusal of the authority is on the wire. */
export const refusalCodes: Readonly<Record<RefusalCode, GrpcCode>> = {
  unauthenticated: grpcCode.unauthenticated,
  "permission-denied": grpcCode.permissionDenied,
  "invalid-argument": grpcCode.invalidArgument,
  "resource-exhausted": grpcCode.resourceExhausted,
  unavailable: grpcCode.unavailable,
};

/** A CSR is about 500 bytes; an RSA-4096 one 2 KiB. */
const maxCsrLength = 16_384;
/** A service-account token is about 1,200 characters long. */
const bearer = /^Bearer +([\x21-\x7e]{1,8192})$/i;

/**
 * Istio's certificate service: the caller is known by a bearer token, or else by the SVID of its connection,
 * which may have expired where the authority renews such.
 */
export function certificateRoute(createCertificate: CreateCertificate): GrpcRoute {
  const route = unaryRoute(IstioCertificateService.method.createCertificate, async (request, call) => {
    const answer = await createCertificate(readRequest(request, call)).catch(toUnavailable);
    if (!answer.isIssued) throw new GrpcError(refusalCodes[answer.code], answer.message);
    return { certChain: [...answer.chainPem] };
  });
  return { ...route, takesExpired: true };
}

/** What the authority could not sign now it may sign later: its own log has the cause. */
function toUnavailable(error: unknown): never {
  if (!(error instanceof MeshError && error.isRetrySafe)) throw error;
  throw new GrpcError(grpcCode.unavailable, "the certificate authority cannot sign at the moment");
}

function readRequest(request: IstioCertificateRequest, call: ServerCall): CertificateRequest {
  if (request.csr.length > maxCsrLength) {
    throw new GrpcError(grpcCode.invalidArgument, `a CSR is at most ${maxCsrLength} characters long`);
  }
  const auth = readCaller(call);
  return {
    csrPem: request.csr,
    validitySeconds: Number(request.validityDuration),
    ...(auth ? { auth } : {}),
    address: hostOf(call.peer.address),
  };
}

function readCaller(call: ServerCall): Caller | undefined {
  const header = call.metadata("authorization");
  if (header !== undefined) {
    const token = bearer.exec(header)?.[1];
    if (!token) throw new GrpcError(grpcCode.unauthenticated, 'authorization is not "Bearer <token>"');
    return { token };
  }
  const { spiffeId = call.peer.expiredId, serial } = call.peer;
  if (spiffeId === undefined) return undefined;
  return { peer: parseSpiffeId(spiffeId), ...(serial !== undefined && { serial }) };
}

/** An address without the port; IPv4 in IPv6 form as IPv4, so that one client has one address. */
export function hostOf(address: string): string {
  const host = address.slice(0, address.lastIndexOf(":")).replace(/^::ffff:/, "");
  return isIP(host) === 0 ? address : host;
}
