import type { MessageSupport } from "../message-support.ts";

/** What this proxy does with the messages of JWT authentication. */
export function jwtAuthnSupport(): Record<string, MessageSupport> {
  const p = "envoy.extensions.filters.http.jwt_authn.v3.";
  return {
    [`${p}JwtAuthentication`]: {
      implemented: "providers rules bypass_cors_preflight requirement_map strip_failure_response stat_prefix",
    },
    [`${p}JwtProvider`]: {
      implemented:
        "issuer audiences subjects require_expiration max_lifetime remote_jwks local_jwks forward from_headers from_params from_cookies forward_payload_header pad_forward_payload_header payload_in_metadata normalize_payload_in_metadata header_in_metadata failed_status_in_metadata clock_skew_seconds jwt_cache_config claim_to_headers clear_route_cache",
    },
    [`${p}JwtProvider.NormalizePayload`]: { implemented: "space_delimited_claims" },
    [`${p}JwtCacheConfig`]: { implemented: "jwt_cache_size jwt_max_token_size" },
    [`${p}RemoteJwks`]: { implemented: "http_uri cache_duration async_fetch retry_policy" },
    [`${p}JwksAsyncFetch`]: {
      implemented: "failed_refetch_duration",
      harmless: { fast_listener: "a listener never waits for keys: the first request that needs them does" },
    },
    [`${p}JwtHeader`]: { implemented: "name value_prefix" },
    [`${p}ProviderWithAudiences`]: { implemented: "provider_name audiences" },
    [`${p}JwtRequirement`]: {
      implemented:
        "provider_name provider_and_audiences requires_any requires_all allow_missing_or_failed allow_missing",
    },
    [`${p}JwtRequirementOrList`]: { implemented: "requirements" },
    [`${p}JwtRequirementAndList`]: { implemented: "requirements" },
    [`${p}RequirementRule`]: { implemented: "match requires requirement_name" },
    [`${p}PerRouteConfig`]: { implemented: "disabled requirement_name" },
    [`${p}JwtClaimToHeader`]: { implemented: "header_name claim_name" },
    "envoy.config.core.v3.HttpUri": { implemented: "uri cluster timeout" },
    "envoy.config.core.v3.RetryPolicy": { implemented: "retry_back_off num_retries" },
  };
}
