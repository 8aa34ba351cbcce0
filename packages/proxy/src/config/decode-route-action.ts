import type { Duration } from "@bufbuild/protobuf/wkt";
import { RoutingPriority } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import {
  RedirectAction_RedirectResponseCode as Code,
  type DirectResponseAction,
  type HedgePolicy,
  RouteAction_ClusterNotFoundResponseCode as NotFound,
  type RedirectAction,
  type RouteAction,
  type RouteMatch,
} from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import { routeLimits } from "../route/call-limits.ts";
import type { MirrorPlan } from "../route/mirror-plan.ts";
import { compileRedirect } from "../route/redirect.ts";
import type { RetryPlan } from "../route/retry-plan.ts";
import type {
  BodyLimit,
  DirectResponseAction as DirectResponsePlan,
  ForwardAction,
  RedirectAction as RedirectPlan,
} from "../route/route-plan.ts";
import type { StreamDuration } from "../route/stream-duration.ts";
import { type DecodeFilterConfigs, decodeClusterChoice } from "./decode-cluster-choice.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeHashPolicy } from "./decode-hash-policy.ts";
import { decodeInternalRedirect } from "./decode-internal-redirect.ts";
import { decodeBodyFormat } from "./decode-local-reply.ts";
import { decodeMirrors } from "./decode-mirrors.ts";
import { decodeRetry } from "./decode-retry.ts";
import {
  decodeAuthorityRewrite,
  decodePathRewrite,
  decodePrefixRewrite,
  decodeRegexRewrite,
} from "./decode-rewrites.ts";
import { decodeTerminatesConnect, decodeUpgrades } from "./decode-upgrades.ts";
import { readDataSource, timeoutMs } from "./decode-values.ts";
import { at, type Issues } from "./issues.ts";

const redirectStatus: Readonly<Record<Code, number>> = {
  [Code.MOVED_PERMANENTLY]: 301,
  [Code.FOUND]: 302,
  [Code.SEE_OTHER]: 303,
  [Code.TEMPORARY_REDIRECT]: 307,
  [Code.PERMANENT_REDIRECT]: 308,
};

const notFoundStatus: Readonly<Record<NotFound, number>> = {
  [NotFound.SERVICE_UNAVAILABLE]: 503,
  [NotFound.NOT_FOUND]: 404,
  [NotFound.INTERNAL_SERVER_ERROR]: 500,
};

const defaultTimeoutMs = 15_000;
const defaultDirectBodyBytes = 4096;

/** What routes inherit where they say nothing themselves. */
export interface InheritedPolicies {
  readonly retry: RetryPlan | undefined;
  readonly hedge: HedgePolicy | undefined;
  readonly mirrors: readonly MirrorPlan[] | undefined;
  readonly bodyLimit: BodyLimit | undefined;
}

/** `inherited` are the virtual host's policies: a route's own replace them. */
export function decodeForward(
  action: RouteAction,
  match: RouteMatch | undefined,
  inherited: InheritedPolicies,
  decodeFilterConfigs: DecodeFilterConfigs,
  path: string,
  context: DecodeContext,
): ForwardAction {
  const { issues } = context;
  const hashPolicy = decodeHashPolicy(action.hashPolicy, at(path, "hash_policy"), issues);
  const retry = action.retryPolicy
    ? decodeRetry(action.retryPolicy, at(path, "retry_policy"), issues)
    : inherited.retry;
  const hedge = action.hedgePolicy ?? inherited.hedge;
  return {
    kind: "forward",
    selectCluster: decodeClusterChoice(action, hashPolicy, decodeFilterConfigs, path, context),
    limits: routeLimits(
      // Envoy, too: a limit on the whole exchange takes the place of the timeout.
      action.maxStreamDuration ? 0 : timeoutMs(action.timeout, defaultTimeoutMs, at(path, "timeout"), issues),
      retry,
      hedge?.hedgeOnPerTryTimeout ?? false,
    ),
    idleTimeoutMs: action.idleTimeout && timeoutMs(action.idleTimeout, 0, at(path, "idle_timeout"), issues),
    streamDuration: decodeStreamDuration(action.maxStreamDuration, at(path, "max_stream_duration"), issues),
    bodyLimit: inherited.bodyLimit,
    retry,
    grpcTimeout: action.maxGrpcTimeout && {
      maxMs: timeoutMs(action.maxGrpcTimeout, 0, at(path, "max_grpc_timeout"), issues),
      offsetMs: timeoutMs(action.grpcTimeoutOffset, 0, at(path, "grpc_timeout_offset"), issues),
    },
    rewritePath: decodePathRewrite(action, match, path, context),
    rewriteAuthority: decodeAuthorityRewrite(action, path, context),
    mirrors:
      decodeMirrors(action.requestMirrorPolicies, at(path, "request_mirror_policies"), context) ??
      inherited.mirrors,
    appendsForwardedHost: action.appendXForwardedHost,
    autoHostRewrite:
      action.hostRewriteSpecifier.case === "autoHostRewrite" && action.hostRewriteSpecifier.value.value,
    hashPolicy,
    priority: action.priority === RoutingPriority.HIGH ? "high" : "default",
    clusterNotFoundStatus: notFoundStatus[action.clusterNotFoundResponseCode],
    upgrades: decodeUpgrades(action.upgradeConfigs, at(path, "upgrade_configs"), issues),
    terminatesConnect: decodeTerminatesConnect(action.upgradeConfigs, at(path, "upgrade_configs"), issues),
    internalRedirect: decodeInternalRedirect(
      action.internalRedirectPolicy,
      at(path, "internal_redirect_policy"),
      issues,
    ),
  };
}

function decodeStreamDuration(
  duration: RouteAction["maxStreamDuration"],
  path: string,
  issues: Issues,
): StreamDuration | undefined {
  if (!duration) return undefined;
  const time = (value: Duration | undefined, field: string) =>
    value && timeoutMs(value, 0, at(path, field), issues);
  return {
    maxMs: time(duration.maxStreamDuration, "max_stream_duration"),
    grpcMaxMs: time(duration.grpcTimeoutHeaderMax, "grpc_timeout_header_max"),
    grpcOffsetMs: time(duration.grpcTimeoutHeaderOffset, "grpc_timeout_header_offset") ?? 0,
  };
}

export function decodeRedirect(
  redirect: RedirectAction,
  match: RouteMatch | undefined,
  path: string,
  context: DecodeContext,
): RedirectPlan {
  const scheme = redirect.schemeRewriteSpecifier;
  const rewrite = redirect.pathRewriteSpecifier;
  if (redirect.portRedirect > 65_535) {
    context.issues.add(at(path, "port_redirect"), `${redirect.portRedirect} is not a port`, "1 to 65535");
  }
  const pathRewrite =
    rewrite.case === "prefixRewrite"
      ? decodePrefixRewrite(rewrite.value, match)
      : rewrite.case === "regexRewrite"
        ? decodeRegexRewrite(rewrite.value, at(path, "regex_rewrite"), context)
        : undefined;
  return {
    kind: "redirect",
    status: redirectStatus[redirect.responseCode],
    location: compileRedirect({
      scheme:
        scheme.case === "schemeRedirect"
          ? scheme.value
          : scheme.case === "httpsRedirect" && scheme.value
            ? "https"
            : undefined,
      host: redirect.hostRedirect || undefined,
      port: redirect.portRedirect || undefined,
      path: rewrite.case === "pathRedirect" ? rewrite.value : undefined,
      rewrite: pathRewrite,
      stripQuery: redirect.stripQuery,
    }),
  };
}

export function decodeDirectResponse(
  response: DirectResponseAction,
  maxBodyBytes: number | undefined,
  path: string,
  context: DecodeContext,
): DirectResponsePlan {
  const { issues } = context;
  if (response.status < 200 || response.status > 599) {
    issues.add(at(path, "status"), `${response.status} is not a response status`, "200 to 599");
  }
  const body = response.body && readDataSource(response.body, at(path, "body"), issues);
  const limit = maxBodyBytes ?? defaultDirectBodyBytes;
  if (body && body.length > limit) {
    issues.add(
      at(path, "body"),
      `is ${body.length} bytes, more than the limit of ${limit}`,
      "raise max_direct_response_body_size_bytes",
    );
  }
  return {
    kind: "direct-response",
    status: response.status,
    body: body && body.length > 0 ? body : undefined,
    format: decodeBodyFormat(response.bodyFormat, at(path, "body_format"), context),
  };
}
