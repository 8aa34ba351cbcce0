import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Principal } from "@weft/xds/gen/envoy/config/rbac/v3/rbac_pb";
import type { ValueMatcherSchema } from "@weft/xds/gen/envoy/type/matcher/v3/value_pb";
import { jwtFilterName, jwtPayloadKey } from "./jwt-authentication.ts";
import { allOf, oneOf, principal } from "./rbac-principal.ts";
import { type StringMatch, wildcardMatch } from "./string-match.ts";

type ValueMatch = Exclude<MessageInitShape<typeof ValueMatcherSchema>, { $typeName: string }>;

/** One of the end users `issuer/subject`, each part with Istio's wildcards, by the token that was verified. */
export function byRequestPrincipals(values: readonly string[]): Principal {
  return oneOf(
    values.map((value) => {
      const [issuer, subject] = principalParts(value);
      return allOf([byClaim(["iss"], text(issuer)), byClaim(["sub"], text(subject))]);
    }),
  );
}

/**
 * An issuer may hold slashes, a subject not: the last one divides. A wildcard
 * stands at the start of the issuer or at the end of the subject; without a
 * slash one at the start is for the subject, one at the end for the issuer.
 */
function principalParts(value: string): readonly [issuer: StringMatch, subject: StringMatch] {
  const any = wildcardMatch("*");
  if (value === "*") return [any, any];
  const cut = value.lastIndexOf("/");
  if (cut < 0) {
    if (value.startsWith("*")) return [any, wildcardMatch(value)];
    return value.endsWith("*") ? [wildcardMatch(value), any] : [exactly(value), exactly("")];
  }
  const issuer = value.slice(0, cut);
  const subject = value.slice(cut + 1);
  return [
    issuer.startsWith("*") ? wildcardMatch(issuer) : exactly(issuer),
    subject.endsWith("*") ? wildcardMatch(subject) : exactly(subject),
  ];
}

/** A claim that is one of these, or a list with one of them. */
export function byClaimValues(claim: readonly string[], values: readonly string[]): Principal {
  const matches = values.map((value) => text(wildcardMatch(value)));
  const one: ValueMatch =
    matches.length === 1
      ? matches[0]!
      : { matchPattern: { case: "orMatch", value: { valueMatchers: matches } } };
  const inList: ValueMatch = {
    matchPattern: { case: "listMatch", value: { matchPattern: { case: "oneOf", value: one } } },
  };
  return byClaim(claim, { matchPattern: { case: "orMatch", value: { valueMatchers: [inList, one] } } });
}

/** `[a][b]` names b in a; what is not written so is one name. */
export function claimPath(brackets: string): readonly string[] {
  if (!/^(\[[^[\]]+\])+$/.test(brackets)) return [brackets.slice(1, -1)];
  return brackets.slice(1, -1).split("][");
}

function byClaim(claim: readonly string[], value: ValueMatch): Principal {
  const path = [jwtPayloadKey, ...claim].map((key) => ({ segment: { case: "key" as const, value: key } }));
  return principal({ case: "metadata", value: { filter: jwtFilterName, path, value } });
}

function text(value: StringMatch): ValueMatch {
  return { matchPattern: { case: "stringMatch", value } };
}

function exactly(value: string): StringMatch {
  return { matchPattern: { case: "exact", value } };
}
