import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  RouteAction_ClusterNotFoundResponseCode as MissingCode,
  RedirectAction_RedirectResponseCode as RedirectCode,
  type RetryPolicy,
  RetryPolicySchema,
  type Route,
  type RouteAction,
  RouteActionSchema,
  type RouteSchema,
} from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import { PreviousHostsPredicateSchema } from "@weft/xds/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb";
import { PreviousPrioritiesConfigSchema } from "@weft/xds/gen/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb";
import type { HashKey } from "../model/balancer.ts";
import {
  type Destination,
  type ForwardAction,
  type HttpAction,
  type HttpRoute,
  isEdited,
  type RedirectAction,
  type Retries,
} from "../model/routing.ts";
import { routeHashPolicies } from "./hash-policy.ts";
import { headerFields, hostFromEdits } from "./header-edits.ts";
import { duration, fraction, pack } from "./messages.ts";
import { pathEditFields } from "./path-edit.ts";
import { routeFilters } from "./route-filters.ts";

export interface RouteTarget {
  /** The port that was called. */
  readonly port: number;
  /** The cluster of a destination of that port. */
  clusterOf(destination: Destination): string;
  /** What decides the endpoint, where that cluster hashes. */
  hashKeyOf(destination: Destination): HashKey | undefined;
}

/**
 * Retried without being asked to: only what provably never reached the
 * application (no connection, a stream refused, a reset before the request was
 * sent), and the two gRPC statuses that say so. A 503 from the application is
 * not among them: it may have acted on the request.
 */
const defaultRetryOn = "connect-failure,refused-stream,unavailable,cancelled,reset-before-request";
const defaultAttempts = 2;

/** Fields of a Route, to be spread into one. */
type RouteFields = Exclude<MessageInitShape<typeof RouteSchema>, Route>;

/** What a Route does with a request, without its match. */
export function routeAction(route: HttpRoute, target: RouteTarget): RouteFields {
  const { action } = route;
  return {
    action:
      action.kind === "forward"
        ? { case: "route", value: forward(action, route, target) }
        : action.kind === "redirect"
          ? redirect(action, target)
          : directResponse(action),
    ...headerFields(route.headers),
    typedPerFilterConfig: routeFilters(route),
  };
}

/** Straight to one cluster: what happens to a call that no VirtualService mentions. */
export function plainForward(cluster: string, hashKey: HashKey | undefined): RouteAction {
  return create(RouteActionSchema, {
    clusterSpecifier: { case: "cluster", value: cluster },
    timeout: duration(0),
    retryPolicy: retryPolicy(undefined),
    hashPolicy: routeHashPolicies([hashKey]),
  });
}

function forward(action: ForwardAction, route: HttpRoute, target: RouteTarget): RouteAction {
  const used = action.destinations.filter(({ weight }) => weight > 0);
  const [only] = used;
  const clusterSpecifier =
    used.length === 1 && !isEdited(only!.headers)
      ? { case: "cluster" as const, value: target.clusterOf(only!) }
      : {
          case: "weightedClusters" as const,
          value: {
            clusters: used.map((destination) => ({
              name: target.clusterOf(destination),
              weight: destination.weight,
              ...headerFields(destination.headers),
            })),
          },
        };
  const host = action.rewriteAuthority ?? hostFromEdits(route.headers);
  const retries = retryPolicy(action.retries);
  return create(RouteActionSchema, {
    clusterSpecifier,
    ...(action.missingStatus === 500
      ? { clusterNotFoundResponseCode: MissingCode.INTERNAL_SERVER_ERROR }
      : {}),
    timeout: duration(action.timeoutMs),
    ...(action.rewritePath === undefined ? {} : { prefixRewrite: action.rewritePath }),
    ...pathEditFields(action.pathEdit),
    ...(action.rewriteRegex
      ? {
          regexRewrite: {
            pattern: { regex: action.rewriteRegex.pattern },
            substitution: action.rewriteRegex.substitution,
          },
        }
      : {}),
    ...(host === undefined
      ? {}
      : { hostRewriteSpecifier: { case: "hostRewriteLiteral" as const, value: host } }),
    ...(retries ? { retryPolicy: retries } : {}),
    hashPolicy: routeHashPolicies(used.map((destination) => target.hashKeyOf(destination))),
    requestMirrorPolicies: action.mirrors.map(({ destination, percent }) => ({
      cluster: target.clusterOf(destination),
      runtimeFraction: { defaultValue: fraction(percent) },
      // As Istio: what a copy does is no part of the caller's trace.
      traceSampled: false,
    })),
  });
}

/** As Istio: every second attempt goes to a priority that none was made to. */
const previousPriorities = {
  name: "envoy.retry_priorities.previous_priorities",
  configType: {
    case: "typedConfig" as const,
    value: pack(PreviousPrioritiesConfigSchema, { updateFrequency: 2 }),
  },
};

function retryPolicy(retries: Retries | "none" | undefined): RetryPolicy | undefined {
  if (retries === "none") return undefined;
  const words = (retries?.on ?? defaultRetryOn).split(",").map((word) => word.trim());
  const statuses = words.filter((word) => /^\d+$/.test(word)).map(Number);
  const conditions = words.filter((word) => word !== "" && !/^\d+$/.test(word));
  if (statuses.length > 0 && !conditions.includes("retriable-status-codes")) {
    conditions.push("retriable-status-codes");
  }
  const previousHosts = {
    name: "envoy.retry_host_predicates.previous_hosts",
    configType: { case: "typedConfig" as const, value: pack(PreviousHostsPredicateSchema, {}) },
  };
  return create(RetryPolicySchema, {
    retryOn: conditions.join(","),
    numRetries: retries?.attempts ?? defaultAttempts,
    ...(retries?.perTryTimeoutMs === undefined ? {} : { perTryTimeout: duration(retries.perTryTimeoutMs) }),
    ...(retries?.avoidsPreviousHosts === false ? {} : { retryHostPredicate: [previousHosts] }),
    ...(retries?.leavesPriorities ? { retryPriority: previousPriorities } : {}),
    hostSelectionRetryMaxAttempts: 5n,
    retriableStatusCodes: statuses,
    ...(retries?.backoffMs === undefined
      ? {}
      : {
          retryBackOff: {
            baseInterval: duration(retries.backoffMs),
            maxInterval: duration(retries.backoffMs * 10),
          },
        }),
  });
}

const redirectCodes: Readonly<Record<number, RedirectCode>> = {
  301: RedirectCode.MOVED_PERMANENTLY,
  302: RedirectCode.FOUND,
  303: RedirectCode.SEE_OTHER,
  307: RedirectCode.TEMPORARY_REDIRECT,
  308: RedirectCode.PERMANENT_REDIRECT,
};

function redirect(action: RedirectAction, target: RouteTarget) {
  const port = redirectPort(action, target.port);
  return {
    case: "redirect" as const,
    value: {
      responseCode: redirectCodes[action.status],
      ...redirectPath(action),
      ...(action.authority === undefined ? {} : { hostRedirect: action.authority }),
      ...(port === undefined ? {} : { portRedirect: port }),
      ...(action.scheme === undefined
        ? {}
        : { schemeRewriteSpecifier: { case: "schemeRedirect" as const, value: action.scheme } }),
    },
  };
}

function redirectPort(action: RedirectAction, calledPort: number): number | undefined {
  const standard = action.scheme === "https" ? 443 : 80;
  const ports = { request: calledPort, "protocol-default": standard };
  const port = typeof action.port === "string" ? ports[action.port] : action.port;
  // A host that is kept may bring the port that was called, which must then be replaced.
  const isKept = action.authority === undefined && calledPort !== port && calledPort !== 80;
  return action.omitsDefaultPort && port === standard && !isKept ? undefined : port;
}

function redirectPath({ path, pathPrefix, pathEdit }: RedirectAction) {
  if (pathEdit?.kind === "full" || path !== undefined) {
    const value = pathEdit?.kind === "full" ? pathEdit.path : path!;
    return { pathRewriteSpecifier: { case: "pathRedirect" as const, value } };
  }
  const { prefixRewrite = pathPrefix, regexRewrite } = pathEditFields(pathEdit);
  if (regexRewrite) return { pathRewriteSpecifier: { case: "regexRewrite" as const, value: regexRewrite } };
  if (prefixRewrite === undefined) return {};
  return { pathRewriteSpecifier: { case: "prefixRewrite" as const, value: prefixRewrite } };
}

function directResponse({ status, body }: Extract<HttpAction, { kind: "direct-response" }>) {
  const specifier =
    body === undefined
      ? undefined
      : "text" in body
        ? { case: "inlineString" as const, value: body.text }
        : { case: "inlineBytes" as const, value: Uint8Array.from(Buffer.from(body.base64, "base64")) };
  return {
    case: "directResponse" as const,
    value: { status, ...(specifier ? { body: { specifier } } : {}) },
  };
}
