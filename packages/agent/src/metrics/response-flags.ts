import { ResponseFlag } from "@weft/proxy/layer/response-flag";
import type { ResponseFlags } from "@weft/xds/gen/envoy/data/accesslog/v3/accesslog_pb";

/** Fields of the message by the flag each stands for; the two that are no booleans are read apart. */
const flagOf: readonly (readonly [field: BooleanField, flag: number])[] = [
  ["failedLocalHealthcheck", ResponseFlag.FailedLocalHealthCheck],
  ["noHealthyUpstream", ResponseFlag.NoHealthyUpstream],
  ["upstreamRequestTimeout", ResponseFlag.UpstreamRequestTimeout],
  ["localReset", ResponseFlag.LocalReset],
  ["upstreamRemoteReset", ResponseFlag.UpstreamRemoteReset],
  ["upstreamConnectionFailure", ResponseFlag.UpstreamConnectionFailure],
  ["upstreamConnectionTermination", ResponseFlag.UpstreamConnectionTermination],
  ["upstreamOverflow", ResponseFlag.UpstreamOverflow],
  ["noRouteFound", ResponseFlag.NoRouteFound],
  ["delayInjected", ResponseFlag.DelayInjected],
  ["faultInjected", ResponseFlag.FaultInjected],
  ["rateLimited", ResponseFlag.RateLimited],
  ["rateLimitServiceError", ResponseFlag.RateLimitServiceError],
  ["downstreamConnectionTermination", ResponseFlag.DownstreamConnectionTermination],
  ["upstreamRetryLimitExceeded", ResponseFlag.UpstreamRetryLimitExceeded],
  ["streamIdleTimeout", ResponseFlag.StreamIdleTimeout],
  ["invalidEnvoyRequestHeaders", ResponseFlag.InvalidEnvoyRequestHeaders],
  ["downstreamProtocolError", ResponseFlag.DownstreamProtocolError],
  ["upstreamMaxStreamDurationReached", ResponseFlag.UpstreamMaxStreamDurationReached],
  ["noClusterFound", ResponseFlag.NoClusterFound],
  ["overloadManager", ResponseFlag.OverloadManager],
  ["durationTimeout", ResponseFlag.DurationTimeout],
  ["upstreamProtocolError", ResponseFlag.UpstreamProtocolError],
];

type BooleanField = {
  [F in keyof ResponseFlags]-?: ResponseFlags[F] extends boolean ? F : never;
}[keyof ResponseFlags];

/** The flags an access log entry carries, as bits of `ResponseFlag`; those Istio's metrics have no name for are left out. */
export function responseFlagsOf(flags: ResponseFlags | undefined): number {
  if (!flags) return 0;
  let bits = flags.unauthorizedDetails ? ResponseFlag.UnauthorizedExternalService : 0;
  for (const [field, flag] of flagOf) if (flags[field]) bits |= flag;
  return bits;
}
