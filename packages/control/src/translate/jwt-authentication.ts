import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  JwtAuthenticationSchema,
  type JwtProviderSchema,
  type JwtRequirementSchema,
} from "@weft/xds/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb";
import type { JwtRule } from "../model/security.ts";
import { type HttpFilter, httpFilter } from "./http-filter.ts";
import { pack } from "./messages.ts";

type Provider = Exclude<MessageInitShape<typeof JwtProviderSchema>, { $typeName: string }>;
type Requirement = Exclude<MessageInitShape<typeof JwtRequirementSchema>, { $typeName: string }>;

/** Under these names RBAC finds the claims of verified tokens. */
export const jwtFilterName = "envoy.filters.http.jwt_authn";
export const jwtPayloadKey = "payload";

/**
 * A point of P-256 whose private key nobody has: its x is the first SHA-256 of
 * "weft: no issuer's key <n>" that lies on the curve. Tokens of an issuer whose
 * keys are not known are verified with it, so that none is accepted.
 */
export const nobodysKey =
  '{"keys":[{"kty":"EC","crv":"P-256","x":"f0udoqIiLhf18kydOAMeDuOoCTsjs_umfH-1K2HO-s8","y":"zuv218iKYnEhXve5LvHCncAsRXxf-juy72KxaJ2Qpts","use":"sig","kid":"nobody"}]}';

/**
 * Verifies the tokens that requests bring. A bad one is refused; a request with
 * none passes, and what it may do is for the authorization policies to say.
 *
 * Several rules: a token must satisfy one of them, or for each rule that finds
 * one where it looks it must be good.
 */
export function jwtFilter(rules: readonly JwtRule[]): HttpFilter | undefined {
  if (rules.length === 0) return undefined;
  const providers: Record<string, Provider> = {};
  for (const rule of rules) providers[rule.name] = provider(rule);
  const each = rules.map(byProvider);
  const goodOrMissing = each.map((requirement) => anyOf([requirement, allowMissing]));
  const requires =
    rules.length === 1
      ? goodOrMissing[0]!
      : anyOf([...each, { requiresType: { case: "requiresAll", value: { requirements: goodOrMissing } } }]);
  const config = pack(JwtAuthenticationSchema, {
    providers,
    rules: [
      {
        match: { pathSpecifier: { case: "prefix", value: "/" } },
        requirementType: { case: "requires", value: requires },
      },
    ],
    bypassCorsPreflight: true,
  });
  return httpFilter(jwtFilterName, config);
}

function provider(rule: JwtRule): Provider {
  return {
    issuer: rule.issuer,
    audiences: [...rule.audiences],
    jwksSourceSpecifier: {
      case: "localJwks",
      value: { specifier: { case: "inlineString", value: rule.keys ?? nobodysKey } },
    },
    forward: rule.isForwarded,
    fromHeaders: rule.fromHeaders.map(({ name, prefix }) => ({ name, valuePrefix: prefix })),
    fromParams: [...rule.fromParams],
    fromCookies: [...rule.fromCookies],
    forwardPayloadHeader: rule.payloadHeader,
    claimToHeaders: rule.claimHeaders.map(({ header, claim }) => ({ headerName: header, claimName: claim })),
    payloadInMetadata: jwtPayloadKey,
    normalizePayloadInMetadata: { spaceDelimitedClaims: [...rule.splitClaims] },
  };
}

function byProvider({ name }: JwtRule): Requirement {
  return { requiresType: { case: "providerName", value: name } };
}

const allowMissing: Requirement = { requiresType: { case: "allowMissing", value: {} } };

function anyOf(requirements: Requirement[]): Requirement {
  return { requiresType: { case: "requiresAny", value: { requirements } } };
}
