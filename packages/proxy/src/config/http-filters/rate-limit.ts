import {
  RateLimit_XRateLimitHeadersRFCVersion as HeadersVersion,
  RateLimitPerRoute_VhRateLimitsOptions as HostLimits,
  type RateLimit,
  RateLimitPerRouteSchema,
  RateLimitSchema,
} from "@weft/xds/gen/envoy/extensions/filters/http/ratelimit/v3/rate_limit_pb";
import { callGrpc } from "../../filters/grpc-callout.ts";
import type { VirtualHostLimits } from "../../filters/rate-limit/descriptors.ts";
import {
  type AskRateLimit,
  createRateLimitFilter,
  type RateLimitPlan,
  type RateLimitRouteConfig,
} from "../../filters/rate-limit/rate-limit.ts";
import type { DecodeContext } from "../decode-context.ts";
import { decodeGrpcService } from "../decode-grpc-service.ts";
import { decodeHeaderEdits } from "../decode-header-edits.ts";
import { decodeRateLimits } from "../decode-rate-limits.ts";
import { decodeFraction, timeoutMs } from "../decode-values.ts";
import { at, type Issues } from "../issues.ts";
import { decodeRateLimitResponse, encodeRateLimitRequest } from "../rate-limit-codec.ts";
import { httpFilterType, routeConfigType } from "./http-filter-type.ts";

const checkPath = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";
const defaultTimeoutMs = 20;

export const rateLimitFilter = httpFilterType(
  RateLimitSchema,
  (message, { name, path }, context) => {
    const { services, issues, runtime } = context;
    if (message.domain === "") issues.add(at(path, "domain"), "is empty", "name the domain of the limits");
    const share = (value: RateLimit["filterEnabled"]) => decodeFraction(value, runtime);
    const { failureModeDenyPercent } = message;
    const plan: RateLimitPlan = {
      ask: decodeAsk(message, path, context),
      domain: message.domain,
      stage: message.stage,
      requestType: decodeRequestType(message.requestType, at(path, "request_type"), issues),
      enabled: share(message.filterEnabled),
      enforced: share(message.filterEnforced),
      deniedOnFailure: failureModeDenyPercent
        ? share(failureModeDenyPercent)
        : Number(message.failureModeDeny),
      isResourceExhausted: message.rateLimitedAsResourceExhausted,
      tellsLimits: message.enableXRatelimitHeaders === HeadersVersion.DRAFT_VERSION_03,
      tellsRefusal: !message.disableXEnvoyRatelimitedHeader,
      status: errorStatus(message.rateLimitedStatus?.code, 429),
      statusOnError: errorStatus(message.statusOnError?.code, 500),
      responseEdits: decodeHeaderEdits(message.responseHeadersToAdd, [], path, "response", context),
      policies: decodeRateLimits(message.rateLimits, at(path, "rate_limits"), context),
    };
    return createRateLimitFilter(plan, services.stats, message.statPrefix, services.random, name);
  },
  routeConfigType(RateLimitPerRouteSchema, (message, path, context) => {
    return {
      virtualHostLimits: hostLimits[message.vhRateLimits],
      policies: decodeRateLimits(message.rateLimits, at(path, "rate_limits"), context),
      domain: message.domain,
    } satisfies RateLimitRouteConfig;
  }),
);

const hostLimits: Readonly<Record<HostLimits, VirtualHostLimits>> = {
  [HostLimits.OVERRIDE]: "override",
  [HostLimits.INCLUDE]: "include",
  [HostLimits.IGNORE]: "ignore",
};

function decodeAsk(message: RateLimit, path: string, context: DecodeContext): AskRateLimit {
  const { callouts } = context.services;
  const place = at(path, "rate_limit_service.grpc_service");
  const service = message.rateLimitService?.grpcService;
  const limitMs = timeoutMs(message.timeout, defaultTimeoutMs, at(path, "timeout"), context.issues);
  const target = decodeGrpcService(service, limitMs, place, context);
  return (domain, descriptors, onAnswer) =>
    callGrpc(callouts, target, checkPath, encodeRateLimitRequest(domain, descriptors), (reply) =>
      onAnswer(reply && decodeRateLimitResponse(reply)),
    );
}

function decodeRequestType(type: string, path: string, issues: Issues): RateLimitPlan["requestType"] {
  if (type === "internal" || type === "external" || type === "both") return type;
  if (type !== "") issues.add(path, `${JSON.stringify(type)} is unknown`, "internal, external or both");
  return "both";
}

/** As Envoy: a status that is no error counts as the usual one. */
function errorStatus(code: number | undefined, fallback: number): number {
  return code !== undefined && code >= 400 && code <= 599 ? code : fallback;
}
