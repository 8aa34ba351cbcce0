import type { Diagnostics } from "@weft/base/diagnostics";
import { parsePublicKeys } from "../config/public-keys.ts";
import type { ResourceOf } from "../config/resource.ts";
import type { JwtRuleSpec } from "../config/security-specs.ts";
import { type KeySets, keySourceOf } from "./key-source.ts";
import { provenanceOf } from "./provenance.ts";
import type { JwtRule } from "./security.ts";

/** Always: scopes are written so. */
const splitAlways = ["permission", "scope"];

/** The rules of one RequestAuthentication. One whose keys are not known refuses every token, and is reported. */
export function buildJwtRules(
  resource: ResourceOf<"RequestAuthentication">,
  keySets: KeySets,
  diagnostics: Diagnostics,
): readonly JwtRule[] {
  return (resource.spec.jwtRules ?? []).map((rule, i) => {
    const path = `spec.jwtRules[${i}]`;
    return {
      name: `ns[${resource.namespace}]-authentication[${resource.name}]-rule[${i}]`,
      issuer: rule.issuer ?? "",
      audiences: rule.audiences ?? [],
      keys: keysOf(rule, path, resource, keySets, diagnostics),
      fromHeaders: (rule.fromHeaders ?? []).map(({ name, prefix = "" }) => ({ name, prefix })),
      fromParams: rule.fromParams ?? [],
      fromCookies: rule.fromCookies ?? [],
      payloadHeader: rule.outputPayloadToHeader ?? "",
      claimHeaders: rule.outputClaimToHeaders ?? [],
      isForwarded: rule.forwardOriginalToken ?? false,
      splitClaims: [...new Set([...splitAlways, ...(rule.spaceDelimitedClaims ?? [])])].sort(),
      source: provenanceOf(resource, path),
    };
  });
}

function keysOf(
  rule: JwtRuleSpec,
  path: string,
  resource: ResourceOf<"RequestAuthentication">,
  keySets: KeySets,
  diagnostics: Diagnostics,
): string | undefined {
  const source = keySourceOf(rule);
  if (!source) return parsePublicKeys(rule.jwks!).text;
  const fetched = keySets.get(source.url);
  if (fetched?.state === "fetched") return fetched.text;
  if (fetched) {
    const who = rule.issuer ? `of ${rule.issuer}` : "of this rule";
    const message = `keys of ${source.url}: ${fetched.problem}: every token ${who} is refused`;
    const at = resource.origins.at(`${path}.${rule.issuer && source.isDiscovered ? "issuer" : "jwksUri"}`);
    diagnostics.warning("W2112", at, message, "they are asked for again and again");
  }
  return undefined;
}
