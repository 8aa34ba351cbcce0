import { parseSpiffeId } from "@weft/identity/spiffe-id";
import { JwtSvidService } from "@weft/xds/gen/weft/ca/v1/jwt_svid_pb";
import { type GrpcRoute, unaryRoute } from "@weft/xds/grpc/grpc-route";
import { GrpcError } from "@weft/xds/grpc/grpc-status";
import { CertificateRefusal } from "../ca/certificate-request.ts";
import type { JwtSvidAsk } from "../ca/jwt-svid-issuer.ts";
import { hostOf, refusalCodes } from "./certificate-route.ts";

/** Resolves to the token. @throws CertificateRefusal */
export type IssueJwtSvid = (ask: JwtSvidAsk) => Promise<string>;

/** JWT-SVIDs for whoever the connection's certificate proves to be. */
export function jwtSvidRoute(issue: IssueJwtSvid): GrpcRoute {
  return unaryRoute(JwtSvidService.method.issueJwtSvid, async ({ audience, validitySeconds }, { peer }) => {
    const spiffeId = peer.spiffeId === undefined ? undefined : parseSpiffeId(peer.spiffeId);
    try {
      const address = hostOf(peer.address);
      return { token: await issue({ peer: spiffeId, audience, validitySeconds, address }) };
    } catch (error) {
      if (error instanceof CertificateRefusal) throw new GrpcError(refusalCodes[error.code], error.message);
      throw error;
    }
  });
}
