import type { RuntimeFractionalPercent } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import type { CorsPolicy as RouteCorsPolicy } from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import type { CorsPolicy as CorsPolicyMessage } from "@weft/xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb";
import type { CorsPolicy } from "../filters/cors.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeFraction, decodeStringMatcher } from "./decode-values.ts";
import { at } from "./issues.ts";

/** Decodes a policy from either place of the API: they differ in how the enforced share is written. */
export function decodeCorsPolicy(
  policy: CorsPolicyMessage | RouteCorsPolicy,
  path: string,
  { issues, runtime }: DecodeContext,
): CorsPolicy {
  return {
    origins: policy.allowOriginStringMatch.map((matcher, i) =>
      decodeStringMatcher(matcher, `${at(path, "allow_origin_string_match")}[${i}]`, issues),
    ),
    allowMethods: policy.allowMethods,
    allowHeaders: policy.allowHeaders,
    exposeHeaders: policy.exposeHeaders,
    maxAge: policy.maxAge,
    allowCredentials: policy.allowCredentials,
    allowPrivateNetwork: policy.allowPrivateNetworkAccess,
    forwardsUnmatchedPreflights: policy.forwardNotMatchingPreflights,
    enabled: decodeFraction(enabledOf(policy), runtime),
    shadowed: policy.shadowEnabled ? decodeFraction(policy.shadowEnabled, runtime) : 0,
  };
}

function enabledOf(policy: CorsPolicyMessage | RouteCorsPolicy): RuntimeFractionalPercent | undefined {
  if ("filterEnabled" in policy) return policy.filterEnabled;
  return "enabledSpecifier" in policy ? policy.enabledSpecifier.value : undefined;
}
