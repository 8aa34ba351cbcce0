/**
 * Why a request was answered the way it was, in Envoy's terms: one bit each in
 * `Exchange.flags`, printed by access logs as Envoy's short names.
 *
 * @see https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#response-flags
 */
export const ResponseFlag = {
  FailedLocalHealthCheck: 1 << 0,
  NoHealthyUpstream: 1 << 1,
  UpstreamRequestTimeout: 1 << 2,
  LocalReset: 1 << 3,
  UpstreamRemoteReset: 1 << 4,
  UpstreamConnectionFailure: 1 << 5,
  UpstreamConnectionTermination: 1 << 6,
  UpstreamOverflow: 1 << 7,
  NoRouteFound: 1 << 8,
  DelayInjected: 1 << 9,
  FaultInjected: 1 << 10,
  RateLimited: 1 << 11,
  UnauthorizedExternalService: 1 << 12,
  RateLimitServiceError: 1 << 13,
  DownstreamConnectionTermination: 1 << 14,
  UpstreamRetryLimitExceeded: 1 << 15,
  StreamIdleTimeout: 1 << 16,
  InvalidEnvoyRequestHeaders: 1 << 17,
  DownstreamProtocolError: 1 << 18,
  UpstreamMaxStreamDurationReached: 1 << 19,
  NoClusterFound: 1 << 20,
  OverloadManager: 1 << 21,
  DurationTimeout: 1 << 22,
  UpstreamProtocolError: 1 << 23,
} as const;

const shortNames: readonly (readonly [flag: number, name: string])[] = [
  [ResponseFlag.UpstreamRetryLimitExceeded, "URX"],
  [ResponseFlag.FailedLocalHealthCheck, "LH"],
  [ResponseFlag.NoHealthyUpstream, "UH"],
  [ResponseFlag.UpstreamRequestTimeout, "UT"],
  [ResponseFlag.LocalReset, "LR"],
  [ResponseFlag.UpstreamRemoteReset, "UR"],
  [ResponseFlag.UpstreamConnectionFailure, "UF"],
  [ResponseFlag.UpstreamConnectionTermination, "UC"],
  [ResponseFlag.UpstreamOverflow, "UO"],
  [ResponseFlag.NoRouteFound, "NR"],
  [ResponseFlag.DelayInjected, "DI"],
  [ResponseFlag.FaultInjected, "FI"],
  [ResponseFlag.RateLimited, "RL"],
  [ResponseFlag.UnauthorizedExternalService, "UAEX"],
  [ResponseFlag.RateLimitServiceError, "RLSE"],
  [ResponseFlag.DownstreamConnectionTermination, "DC"],
  [ResponseFlag.StreamIdleTimeout, "SI"],
  [ResponseFlag.InvalidEnvoyRequestHeaders, "IH"],
  [ResponseFlag.DownstreamProtocolError, "DPE"],
  [ResponseFlag.UpstreamMaxStreamDurationReached, "UMSDR"],
  [ResponseFlag.NoClusterFound, "NC"],
  [ResponseFlag.OverloadManager, "OM"],
  [ResponseFlag.DurationTimeout, "DT"],
  [ResponseFlag.UpstreamProtocolError, "UPE"],
];

const longNames: ReadonlyMap<number, string> = new Map(
  Object.entries(ResponseFlag).map(([name, flag]) => [flag, name]),
);

/** A request's retries are used up before its last failure is known, a TCP connection's attempts after. */
const tcpShortNames = [...shortNames.slice(1), shortNames[0]!];

/** `%RESPONSE_FLAGS%`: the short names joined by commas in the order Envoy sets them, or `-` when none is set. */
export function formatResponseFlags(flags: number, isTcp = false): string {
  if (flags === 0) return "-";
  return namesOf(flags, isTcp)
    .map(([, name]) => name)
    .join(",");
}

/** `%RESPONSE_FLAGS_LONG%`: the same with the names Envoy has for them in full. */
export function formatLongResponseFlags(flags: number, isTcp = false): string {
  if (flags === 0) return "-";
  return namesOf(flags, isTcp)
    .map(([flag]) => longNames.get(flag))
    .join(",");
}

function namesOf(flags: number, isTcp: boolean): readonly (readonly [flag: number, name: string])[] {
  return (isTcp ? tcpShortNames : shortNames).filter(([flag]) => (flags & flag) !== 0);
}
