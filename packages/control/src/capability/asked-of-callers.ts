import { isHttp } from "../model/protocol.ts";
import { authorizersOf, copiesOf } from "../model/route-shares.ts";
import { type HttpRoute, isCaller, isEdited, routesTo } from "../model/routing.ts";
import type { Service } from "../model/service.ts";
import type { PortPolicy } from "../model/traffic-policy.ts";
import type { SeenMesh } from "../model/view.ts";
import { grpcRetryOn } from "../translate/proxyless/grpc-retry-on.ts";
import type { Asked } from "./asked.ts";
import type { CapabilityName } from "./capabilities.ts";

interface Caller {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What calls of HTTP services ask of the data plane of a caller that sees this much of the mesh. */
export function askedOfCaller(seen: SeenMesh, caller: Caller): Asked[] {
  const services = [...(seen.egress?.services ?? seen.services).values()];
  const asked = services.flatMap((service) => [
    ...askedByRoutes(service, seen, caller),
    ...askedByPolicies(service),
  ]);
  return withoutRepeats(asked);
}

function askedByRoutes({ hostname, ports }: Service, seen: SeenMesh, caller: Caller): Asked[] {
  return ports
    .filter(({ protocol }) => isHttp(protocol))
    .flatMap(({ number }) => routesTo(hostname, number, seen, caller)?.http ?? [])
    .filter(({ matches }) => matches.length === 0 || matches.some(({ source }) => isCaller(source, caller)))
    .flatMap((route) =>
      routeCapabilities(route).map((capability) => ({ capability, where: hostname, source: route.source })),
    );
}

function routeCapabilities(route: HttpRoute): CapabilityName[] {
  const { action, cors, headers, matches } = route;
  const asked: CapabilityName[] = [];
  if (matches.some(({ queryParams }) => queryParams.length > 0)) asked.push("queryMatch");
  if (cors) asked.push("cors");
  if (cors && !cors.forwardsUnmatchedPreflights) asked.push("unmatchedPreflights");
  if (authorizersOf(route).length > 0) asked.push("customAuthorization");
  let edits = isEdited(headers);
  if (action.kind === "redirect") asked.push("redirect");
  else if (action.kind === "direct-response") asked.push("directResponse");
  else {
    const { rewritePath, rewriteRegex, rewriteAuthority, pathEdit, retries } = action;
    const rewrites = [
      ...[rewritePath, rewriteRegex, rewriteAuthority, pathEdit],
      ...action.destinations.flatMap(({ own }) => [own?.rewriteAuthority, own?.pathEdit]),
    ];
    if (rewrites.some((part) => part !== undefined)) asked.push("rewrite");
    if (copiesOf(action).length > 0) asked.push("mirror");
    const own = action.destinations.flatMap((destination) => destination.own ?? []);
    if (own.some((filters) => filters.cors)) asked.push("cors");
    if (own.some((filters) => filters.redirect)) asked.push("redirect");
    edits ||= action.destinations.some((destination) => isEdited(destination.headers));
    if (retries && retries !== "none") {
      const words = (retries.on ?? "").split(",").map((word) => word.trim());
      if (words.some((word) => word !== "" && !grpcRetryOn.has(word))) asked.push("httpRetries");
      if (retries.perTryTimeoutMs !== undefined) asked.push("perTryTimeout");
    }
  }
  if (edits) asked.push("headerEdits");
  return asked;
}

/** What nobody wrote is asked by nobody. */
function askedByPolicies({ destinationRule, hostname, policy, ports, subsets }: Service): Asked[] {
  if (!destinationRule || !ports.some(({ protocol }) => isHttp(protocol))) return [];
  const written = [
    ...(policy ? [policy, ...policy.ports] : []).map((part) => ({ part, source: destinationRule })),
    ...subsets.flatMap(({ policy: own, source }) =>
      (own ? [own, ...own.ports] : []).map((part) => ({ part, source })),
    ),
  ];
  return written.flatMap(({ part, source }) =>
    policyCapabilities(part).map((capability) => ({ capability, where: hostname, source })),
  );
}

function policyCapabilities({
  balancer,
  connectionPool,
  proxyProtocol,
  tls,
  tunnel,
}: PortPolicy): CapabilityName[] {
  const asked: CapabilityName[] = [];
  if (balancer?.kind === "passthrough") asked.push("passthrough");
  if (balancer?.kind === "least-request" || balancer?.kind === "random") asked.push("balancer");
  if (balancer?.kind === "consistent-hash") {
    if (balancer.table.kind === "maglev") asked.push("balancer");
    else if (balancer.key && balancer.key.kind !== "header") asked.push("hashKey");
  }
  if (balancer && "warmup" in balancer && balancer.warmup) asked.push("warmup");
  const { maxRequests: _, http2Upgrade: _h, ...limits } = connectionPool ?? {};
  if (Object.values(limits).some((limit) => limit !== undefined)) asked.push("connectionLimits");
  if (tls?.mode === "SIMPLE" || tls?.mode === "MUTUAL") asked.push("serverTls");
  if (proxyProtocol) asked.push("proxyProtocol");
  if (tunnel) asked.push("tunnel");
  return asked;
}

/** A rule of several matches, or of several ports, is said once. */
function withoutRepeats(asked: readonly Asked[]): Asked[] {
  const byKey = new Map(asked.map((one) => [`${one.where} ${one.capability} ${one.source?.origin}`, one]));
  return [...byKey.values()];
}
