import { messageOf } from "@weft/base/errors";
import { checkPolicyTarget } from "./check-policy-target.ts";
import type { Finding } from "./finding.ts";
import { parsePublicKeys } from "./public-keys.ts";
import type { JwtRuleSpec, RequestAuthenticationSpec } from "./security-specs.ts";
import { isHeaderName } from "./values.ts";

export function checkRequestAuthentication(spec: RequestAuthenticationSpec, find: Finding): void {
  checkPolicyTarget(spec, find);
  spec.jwtRules?.forEach((rule, i) => {
    checkRule(rule, `spec.jwtRules[${i}]`, find);
  });
}

function checkRule(rule: JwtRuleSpec, path: string, find: Finding): void {
  checkKeySource(rule, path, find);
  rule.fromHeaders?.forEach(({ name }, i) => {
    checkHeader(`${path}.fromHeaders[${i}].name`, name, find);
  });
  if (rule.outputPayloadToHeader)
    checkHeader(`${path}.outputPayloadToHeader`, rule.outputPayloadToHeader, find);
  rule.outputClaimToHeaders?.forEach(({ header }, i) => {
    checkHeader(`${path}.outputClaimToHeaders[${i}].header`, header, find);
  });
  find.duration(`${path}.timeout`, rule.timeout, { minMs: 1 });
}

function checkKeySource(rule: JwtRuleSpec, path: string, find: Finding): void {
  const ways = (["jwks", "jwksUri", "jwks_uri"] as const).filter((field) => rule[field]);
  if (ways.length > 1) {
    find.error(
      "W1106",
      `${path}.${ways[1]}`,
      `${path} sets ${ways.join(" and ")} at once`,
      "keep one of them",
    );
  }
  const uri = rule.jwksUri ?? rule.jwks_uri;
  if (rule.jwks) checkKeys(rule.jwks, `${path}.jwks`, find);
  else if (uri) checkUri(uri, `${path}.jwksUri`, find);
  else if (!rule.issuer) {
    find.error(
      "W1104",
      path,
      `${path} has neither issuer nor keys`,
      "name the issuer and its jwksUri or jwks",
    );
  } else checkUri(rule.issuer, `${path}.issuer`, find, "without keys the issuer is asked for them");
  if (!rule.issuer && rule.jwks) {
    find.error("W1104", path, `${path}.issuer is missing`, "name whose tokens these keys verify");
  }
}

function checkKeys(text: string, path: string, find: Finding): void {
  try {
    for (const line of parsePublicKeys(text).dropped) {
      find.warning("W1306", path, `${path}: ${line}: it verifies nothing`, "give public keys only");
    }
  } catch (error) {
    find.error("W1213", path, `${path} ${messageOf(error)}`, "give a JSON Web Key Set with public keys");
  }
}

function checkUri(text: string, path: string, find: Finding, hint = "write https://HOST/PATH"): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !["http:", "https:"].includes(url.protocol)) {
    find.error("W1213", path, `${path}: "${text}" is not an http or https URL`, hint);
  } else if (url.username !== "" || url.password !== "") {
    find.error("W1213", path, `${path} holds a password`, "keys are public: fetch them without one");
  }
}

/** Nothing a proxy decides by may come from a token's claims. */
function checkHeader(path: string, name: string, find: Finding): void {
  if (isHeaderName(name) && name.toLowerCase() !== "host") return;
  find.error("W1206", path, `${path}: "${name}" is not a header that may be set`);
}
