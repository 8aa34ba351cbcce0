/**
 * Why a token, or the lack of one, does not satisfy a requirement: Envoy's
 * number, which metadata may carry, and its words, which are the body of the
 * answer and stand in its details.
 */
export interface JwtFailure {
  readonly code: number;
  readonly message: string;
}

const failure = (code: number, message: string): JwtFailure => ({ code, message });

export const jwtFailures = {
  missing: failure(1, "Jwt is missing"),
  notYetValid: failure(2, "Jwt not yet valid"),
  expired: failure(3, "Jwt is expired"),
  badFormat: failure(4, "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections"),
  headerEncoding: failure(5, "Jwt header is an invalid Base64url encoded"),
  headerJson: failure(6, "Jwt header is an invalid JSON"),
  headerAlgorithm: failure(7, "Jwt header [alg] field is required and must be a string"),
  unsupportedAlgorithm: failure(8, "Jwt header [alg] is not supported"),
  headerKeyId: failure(9, "Jwt header [kid] field is not a string"),
  payloadEncoding: failure(10, "Jwt payload is an invalid Base64url encoded"),
  payloadJson: failure(11, "Jwt payload is an invalid JSON"),
  issuer: failure(12, "Jwt payload [iss] field is not a string"),
  subject: failure(13, "Jwt payload [sub] field is not a string"),
  issuedAt: failure(14, "Jwt payload [iat] field is not an integer"),
  issuedAtRange: failure(15, "Jwt payload [iat] field is not a positive 64 bit integer"),
  notBefore: failure(16, "Jwt payload [nbf] field is not an integer"),
  notBeforeRange: failure(17, "Jwt payload [nbf] field is not a positive 64 bit integer"),
  expiration: failure(18, "Jwt payload [exp] field is not an integer"),
  expirationRange: failure(19, "Jwt payload [exp] field is not a positive 64 bit integer"),
  tokenId: failure(20, "Jwt payload [jti] field is not a string"),
  audience: failure(21, "Jwt payload [aud] field is not a string or string list"),
  signatureEncoding: failure(22, "Jwt signature is an invalid Base64url encoded"),
  unknownIssuer: failure(24, "Jwt issuer is not configured"),
  audienceNotAllowed: failure(25, "Audiences in Jwt are not allowed"),
  verification: failure(26, "Jwt verification fails"),
  noMatchingKey: failure(32, "Jwks doesn't have key to match kid or alg from Jwt"),
  fetch: failure(40, "Jwks remote fetch is failed"),
} as const;
