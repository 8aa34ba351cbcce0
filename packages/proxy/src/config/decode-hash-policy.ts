import type { RouteAction_HashPolicy } from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import {
  compileHashPolicy,
  type HashPolicy,
  type HashRule,
  hashCookie,
  hashHeader,
  hashQueryParameter,
  hashSourceIp,
} from "../hash/hash-policy.ts";
import { compileSubstitution } from "../route/string-matcher.ts";
import { compiled, regexText, timeoutMs } from "./decode-values.ts";
import { at, type Issues } from "./issues.ts";

/** Undefined when the list is empty: nothing of a request is hashed. */
export function decodeHashPolicy(
  policies: readonly RouteAction_HashPolicy[],
  path: string,
  issues: Issues,
): HashPolicy | undefined {
  const rules = policies.flatMap((policy, i): HashRule[] => {
    const hash = decodeRule(policy, `${path}[${i}]`, issues);
    return hash ? [{ hash, isTerminal: policy.terminal }] : [];
  });
  return rules.length === 0 ? undefined : compileHashPolicy(rules);
}

function decodeRule(policy: RouteAction_HashPolicy, path: string, issues: Issues): HashPolicy | undefined {
  const specifier = policy.policySpecifier;
  switch (specifier.case) {
    case "header": {
      const { headerName, regexRewrite } = specifier.value;
      const place = at(path, "header");
      if (headerName === "") issues.add(at(place, "header_name"), "is empty", "name the header to hash");
      if (!regexRewrite) return hashHeader(headerName, undefined);
      const pattern = regexText(regexRewrite.pattern, at(place, "regex_rewrite.pattern"), issues);
      const rewrite = compiled(
        () => compileSubstitution(pattern, regexRewrite.substitution),
        (value: string) => value,
        at(place, "regex_rewrite"),
        issues,
      );
      return hashHeader(headerName, rewrite);
    }
    case "cookie": {
      const { name, ttl, path: cookiePath, attributes } = specifier.value;
      const place = at(path, "cookie");
      if (name === "") issues.add(at(place, "name"), "is empty", "name the cookie to hash");
      return hashCookie({
        name,
        ttlSeconds: ttl && Math.floor(timeoutMs(ttl, 0, at(place, "ttl"), issues) / 1000),
        path: cookiePath,
        attributes: attributes.map((attribute) => [attribute.name, attribute.value] as const),
      });
    }
    case "connectionProperties":
      return specifier.value.sourceIp ? hashSourceIp : undefined;
    case "queryParameter":
      if (specifier.value.name === "") issues.add(at(path, "query_parameter.name"), "is empty");
      return hashQueryParameter(specifier.value.name);
    default:
      issues.add(path, "needs one of `header`, `cookie`, `connection_properties`, `query_parameter`");
      return undefined;
  }
}
