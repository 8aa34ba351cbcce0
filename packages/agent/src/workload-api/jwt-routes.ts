import type { JsonObject } from "@bufbuild/protobuf";
import type { Clock } from "@weft/base/clock";
import { messageOf } from "@weft/base/errors";
import { parseSpiffeId, trustDomainId, trustDomainOf } from "@weft/identity/spiffe-id";
import { verifySignature } from "@weft/proxy/filters/jwt/json-web-key-set";
import { type JsonWebToken, parseJwt } from "@weft/proxy/filters/jwt/json-web-token";
import { SpiffeWorkloadAPI } from "@weft/xds/gen/spiffe/workload/workload_pb";
import { type GrpcRoute, unaryRoute } from "@weft/xds/grpc/grpc-route";
import { GrpcError, grpcCode } from "@weft/xds/grpc/grpc-status";
import type { JwtSvidSource } from "./jwt-svid-source.ts";
import { requireSecurityHeader } from "./security-header.ts";
import { streamRoute } from "./stream-route.ts";
import type { WorkloadState } from "./workload-state.ts";

/** As long as the skew the mesh lives with. */
const skewS = 20;
const maxTokenLength = 16 << 10;

/** The JWT profile of the Workload API: tokens of the workload's identity, keys to verify others', and verification. */
export function jwtRoutes(state: WorkloadState, source: JwtSvidSource, clock: Clock): readonly GrpcRoute[] {
  const { fetchJWTSVID, fetchJWTBundles, validateJWTSVID } = SpiffeWorkloadAPI.method;
  return [
    unaryRoute(fetchJWTSVID, async ({ audience, spiffeId }, call) => {
      requireSecurityHeader(call);
      const own = state.svid.spiffeId;
      if (audience.length === 0 || audience.includes("")) {
        throw new GrpcError(grpcCode.invalidArgument, "audience must be specified");
      }
      if (spiffeId !== "" && spiffeId !== own) {
        throw new GrpcError(grpcCode.permissionDenied, `this workload is ${own}, not ${spiffeId}`);
      }
      return { svids: [{ spiffeId: own, svid: await source.fetch(audience) }] };
    }),
    streamRoute(fetchJWTBundles, state, () => {
      if (!state.keys) return undefined;
      const id = trustDomainId(state.svid.bundle.trustDomain);
      const foreign = state.foreign.flatMap(({ bundle, keys }) =>
        keys ? [[trustDomainId(bundle.trustDomain), Buffer.from(keys.text)] as const] : [],
      );
      return { bundles: { [id]: Buffer.from(state.keys.text), ...Object.fromEntries(foreign) } };
    }),
    unaryRoute(validateJWTSVID, async ({ audience, svid }, call) => {
      requireSecurityHeader(call);
      if (audience === "") throw new GrpcError(grpcCode.invalidArgument, "audience must be specified");
      if (svid === "") throw new GrpcError(grpcCode.invalidArgument, "svid must be specified");
      const token = validate(svid, audience, state, clock.now());
      return { spiffeId: token.subject, claims: token.payload as JsonObject };
    }),
  ];
}

/** @throws GrpcError INVALID_ARGUMENT for a token that proves nothing to this audience */
function validate(text: string, audience: string, state: WorkloadState, nowMs: number): JsonWebToken {
  const refuse = (why: string): GrpcError => new GrpcError(grpcCode.invalidArgument, `the JWT-SVID ${why}`);
  if (text.length > maxTokenLength) throw refuse(`is longer than ${maxTokenLength} characters`);
  const { token, failure } = parseJwt(text);
  if (!token) throw refuse(`cannot be read: ${failure.message}`);
  const { typ } = token.header;
  if (typ !== undefined && typ !== "JWT" && typ !== "JOSE")
    throw refuse("has a typ that is neither JWT nor JOSE");
  const domain = domainOf(token.subject);
  if (typeof domain !== "string") throw refuse(`names no SPIFFE ID: ${domain.problem}`);
  const isOwn = domain === state.svid.bundle.trustDomain;
  const keys = isOwn ? state.keys : state.foreign.find(({ bundle }) => bundle.trustDomain === domain)?.keys;
  if (!keys && !isOwn) throw refuse(`is of ${domain}, whose keys are not known here`);
  if (!keys) throw new GrpcError(grpcCode.unavailable, "the keys of JWT-SVIDs are not known yet");
  const forged = verifySignature(token, keys.set);
  if (forged) throw refuse(`is not believed: ${forged.message}`);
  if (token.expiresAtS === 0) throw refuse("does not expire");
  const nowS = nowMs / 1000;
  if (nowS > token.expiresAtS + skewS) throw refuse("has expired");
  if (nowS < token.notBeforeS - skewS) throw refuse("is not valid yet");
  if (!token.audiences.includes(audience))
    throw refuse(`is not for the audience ${JSON.stringify(audience)}`);
  return token;
}

function domainOf(subject: string): string | { readonly problem: string } {
  try {
    return trustDomainOf(parseSpiffeId(subject));
  } catch (error) {
    return { problem: messageOf(error) };
  }
}
