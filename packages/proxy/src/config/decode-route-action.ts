import { RoutingPriority } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import {
  RedirectAction_RedirectResponseCode as Code,
  type DirectResponseAction,
  type HedgePolicy,
  RouteAction_ClusterNotFoundResponseCode as NotFound,
  type RedirectAction,
  type RouteAction,
  type RouteMatch,
  type WeightedCluster,
} from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import { routeLimits } from "../route/call-limits.ts";
import { type PathRewrite, rewritePrefix, rewriteRegex, rewriteWhole } from "../route/path-rewrite.ts";
import { compileRedirect } from "../route/redirect.ts";
import { readHeader } from "../route/request-matcher.ts";
import type { RetryPlan } from "../route/retry-plan.ts";
import type {
  ClusterChoice,
  DirectResponseAction as DirectResponsePlan,
  ForwardAction,
  RedirectAction as RedirectPlan,
} from "../route/route-plan.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeHashPolicy } from "./decode-hash-policy.ts";
import { decodeHeaderEdits } from "./decode-header-edits.ts";
import { decodeRetry } from "./decode-retry.ts";
import { decodeTerminatesConnect, decodeUpgrades } from "./decode-upgrades.ts";
import { compiled, readDataSource, regexText, subsetOf, timeoutMs } from "./decode-values.ts";
import { at } from "./issues.ts";

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

const keep: PathRewrite = (path) => path;

/** `inherited` are the virtual host's policies: a route's own replace them. */
export function decodeForward(
  action: RouteAction,
  match: RouteMatch | undefined,
  inherited: { readonly retry: RetryPlan | undefined; readonly hedge: HedgePolicy | undefined },
  path: string,
  context: DecodeContext,
): ForwardAction {
  const { issues } = context;
  const hostRewrite = action.hostRewriteSpecifier;
  const retry = action.retryPolicy
    ? decodeRetry(action.retryPolicy, at(path, "retry_policy"), issues)
    : inherited.retry;
  const hedge = action.hedgePolicy ?? inherited.hedge;
  return {
    kind: "forward",
    selectCluster: decodeClusterChoice(action, path, context),
    limits: routeLimits(
      timeoutMs(action.timeout, defaultTimeoutMs, at(path, "timeout"), issues),
      retry,
      hedge?.hedgeOnPerTryTimeout ?? false,
    ),
    idleTimeoutMs: action.idleTimeout && timeoutMs(action.idleTimeout, 0, at(path, "idle_timeout"), issues),
    retry,
    grpcTimeout: action.maxGrpcTimeout && {
      maxMs: timeoutMs(action.maxGrpcTimeout, 0, at(path, "max_grpc_timeout"), issues),
      offsetMs: timeoutMs(action.grpcTimeoutOffset, 0, at(path, "grpc_timeout_offset"), issues),
    },
    rewritePath: decodeRewrite(action, match, path, context),
    rewriteAuthority: hostRewrite.case === "hostRewriteLiteral" ? hostRewrite.value : undefined,
    autoHostRewrite: hostRewrite.case === "autoHostRewrite" && hostRewrite.value.value,
    hashPolicy: decodeHashPolicy(action.hashPolicy, at(path, "hash_policy"), issues),
    priority: action.priority === RoutingPriority.HIGH ? "high" : "default",
    clusterNotFoundStatus: notFoundStatus[action.clusterNotFoundResponseCode],
    upgrades: decodeUpgrades(action.upgradeConfigs, at(path, "upgrade_configs"), issues),
    terminatesConnect: decodeTerminatesConnect(action.upgradeConfigs, at(path, "upgrade_configs"), issues),
  };
}

function decodeClusterChoice(
  action: RouteAction,
  path: string,
  context: DecodeContext,
): ForwardAction["selectCluster"] {
  const specifier = action.clusterSpecifier;
  const subset = subsetOf(action.metadataMatch);
  switch (specifier.case) {
    case "cluster": {
      requireCluster(specifier.value, at(path, "cluster"), context);
      const choice = plainChoice(specifier.value, subset);
      return () => choice;
    }
    case "clusterHeader": {
      const name = specifier.value.toLowerCase();
      // Distinct values come from clients: remembered for a few, made anew for the rest.
      const choices = new Map<string, ClusterChoice>();
      return (request) => {
        const cluster = readHeader(request, name) ?? "";
        let choice = choices.get(cluster);
        if (!choice) {
          choice = plainChoice(cluster, subset);
          if (choices.size < 64) choices.set(cluster, choice);
        }
        return choice;
      };
    }
    case "weightedClusters":
      return decodeWeighted(specifier.value, action, at(path, "weighted_clusters"), context);
    default:
      context.issues.add(path, "needs one of `cluster`, `cluster_header`, `weighted_clusters`");
      return () => plainChoice("", undefined);
  }
}

function decodeWeighted(
  weighted: WeightedCluster,
  action: RouteAction,
  path: string,
  context: DecodeContext,
): ForwardAction["selectCluster"] {
  let total = 0;
  const bounds: number[] = [];
  const choices = weighted.clusters.map((entry, i): ClusterChoice => {
    const place = `${at(path, "clusters")}[${i}]`;
    requireCluster(entry.name, at(place, "name"), context);
    total += entry.weight ?? 0;
    bounds.push(total);
    const own = Object.fromEntries(subsetOf(entry.metadataMatch) ?? []);
    const merged = { ...Object.fromEntries(subsetOf(action.metadataMatch) ?? []), ...own };
    const subset = Object.entries(merged).sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      cluster: entry.name,
      subset: subset.length > 0 ? subset : undefined,
      requestEdits: decodeHeaderEdits(
        entry.requestHeadersToAdd,
        entry.requestHeadersToRemove,
        place,
        "request",
        context,
      ),
      responseEdits: decodeHeaderEdits(
        entry.responseHeadersToAdd,
        entry.responseHeadersToRemove,
        place,
        "response",
        context,
      ),
    };
  });
  if (choices.length === 0) context.issues.add(at(path, "clusters"), "is empty", "list at least one cluster");
  else if (total === 0) context.issues.add(at(path, "clusters"), "all weights are 0", "give one a weight");
  if (total > 2 ** 32 - 1)
    context.issues.add(at(path, "clusters"), "the weights add up to more than 4294967295");
  const last = choices.length - 1;
  return (_request, random) => {
    const at = random * total;
    for (let i = 0; i < last; i++) if (at < bounds[i]!) return choices[i]!;
    return choices[last]!;
  };
}

function plainChoice(cluster: string, subset: ClusterChoice["subset"]): ClusterChoice {
  return { cluster, subset, requestEdits: undefined, responseEdits: undefined };
}

function requireCluster(name: string, path: string, { issues, knownClusters }: DecodeContext): void {
  if (name === "") issues.add(path, "is empty", "name a cluster");
  else if (knownClusters && !knownClusters.has(name)) {
    issues.add(
      path,
      `unknown cluster '${name}'`,
      "define it under static_resources.clusters, or set `validate_clusters: false` when CDS brings it",
    );
  }
}

function decodeRewrite(
  action: RouteAction,
  match: RouteMatch | undefined,
  path: string,
  context: DecodeContext,
): PathRewrite | undefined {
  if (action.regexRewrite) {
    if (action.prefixRewrite !== "") {
      context.issues.add(at(path, "regex_rewrite"), "excludes `prefix_rewrite`", "keep one of them");
    }
    return decodeRegexRewrite(action.regexRewrite, at(path, "regex_rewrite"), context);
  }
  return action.prefixRewrite === "" ? undefined : prefixRewrite(action.prefixRewrite, match);
}

function prefixRewrite(replacement: string, match: RouteMatch | undefined): PathRewrite {
  const specifier = match?.pathSpecifier;
  switch (specifier?.case) {
    case "prefix":
    case "path":
    case "pathSeparatedPrefix":
      return rewritePrefix(specifier.value.length, replacement);
    default:
      return rewriteWhole(replacement);
  }
}

function decodeRegexRewrite(
  rewrite: NonNullable<RouteAction["regexRewrite"]>,
  path: string,
  { issues }: DecodeContext,
): PathRewrite {
  const pattern = regexText(rewrite.pattern, at(path, "pattern"), issues);
  return compiled(() => rewriteRegex(pattern, rewrite.substitution), keep, path, issues);
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
      ? prefixRewrite(rewrite.value, match)
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
  { issues }: DecodeContext,
): DirectResponsePlan {
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
  };
}
