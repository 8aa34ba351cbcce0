import { grpcCodeNames } from "@weft/xds/grpc/grpc-status";
import type { ResourceOf } from "../config/resource.ts";
import { parseDurationMs } from "../config/values.ts";
import type {
  CorsSpec,
  DestinationSpec,
  FaultSpec,
  HeaderOperationsSpec,
  HeadersSpec,
  HttpMatchSpec,
  HttpRouteSpec,
  StringMatch,
  TcpRouteSpec,
  TlsRouteSpec,
} from "../config/virtual-service-specs.ts";
import { addressMatch } from "./address-match.ts";
import { type Delegates, type WrittenRule, writtenRules } from "./delegates.ts";
import { resolveHost } from "./host.ts";
import type { MeshOptions } from "./mesh-options.ts";
import { provenanceOf } from "./provenance.ts";
import type {
  AbortError,
  CallerMatch,
  Cors,
  Destination,
  Fault,
  HeaderEdits,
  HeaderOperations,
  HttpAction,
  HttpMatch,
  HttpRoute,
  Mirror,
  NamedMatcher,
  Retries,
  StringMatcher,
  TcpRoute,
  TlsRoute,
} from "./routing.ts";

type VirtualService = ResourceOf<"VirtualService">;

/** The rules of a VirtualService for one place: `mesh`, or `namespace/name` of a gateway. */
export function httpRoutesAt(
  place: string,
  resource: VirtualService,
  delegates: Delegates,
  options: MeshOptions,
): HttpRoute[] {
  return writtenRules(resource, delegates).flatMap((rule) => {
    const matches = matchesAt(place, rule.spec.match, resource.namespace);
    return matches ? httpRoute(rule, matches, options) : [];
  });
}

export function tcpRoutesAt(place: string, resource: VirtualService, options: MeshOptions): TcpRoute[] {
  return (resource.spec.tcp ?? []).flatMap(({ match }, i) => {
    const matches = matchesAt(place, match, resource.namespace);
    return matches ? tcpRoute(resource, i, matches, options) : [];
  });
}

export function tlsRoutesAt(place: string, resource: VirtualService, options: MeshOptions): TlsRoute[] {
  return (resource.spec.tls ?? []).flatMap(({ match }, i) => {
    const matches = matchesAt(place, match, resource.namespace);
    return matches ? tlsRoute(resource, i, matches, options) : [];
  });
}

type Placed = { readonly gateways?: readonly string[] };

/**
 * Those of a rule's matches that are for this place: a match that names gateways
 * is for them only. Undefined where it has matches, and all are for elsewhere:
 * the rule is then skipped, rather than matching all.
 */
function matchesAt<M extends Placed>(
  place: string,
  matches: readonly M[] | undefined,
  namespace: string,
): readonly M[] | undefined {
  if (!matches?.length) return [];
  const own = matches.filter(
    ({ gateways }) => !gateways?.length || gateways.some((name) => resolveGateway(name, namespace) === place),
  );
  return own.length > 0 ? own : undefined;
}

/** `mesh`, or the `namespace/name` that a VirtualService of `namespace` means. */
export function resolveGateway(written: string, namespace: string): string {
  if (written === "mesh") return written;
  if (written.startsWith("./")) return namespace + written.slice(1);
  if (written.includes("/")) return written;
  // An older way of writing it: the full name of the gateway's service.
  const [name, own = namespace] = written.split(".");
  return `${own}/${name}`;
}

function httpRoute(
  { spec, owner, index }: WrittenRule,
  matches: readonly HttpMatchSpec[],
  options: MeshOptions,
): HttpRoute {
  return {
    name: spec.name ?? "",
    matches: matches.map(httpMatch),
    action: httpAction(spec, owner, options),
    fault: faultOf(spec),
    cors: spec.corsPolicy && corsOf(spec.corsPolicy),
    headers: headerEdits(spec.headers),
    source: provenanceOf(owner, `spec.http[${index}]`),
  };
}

function httpMatch(spec: HttpMatchSpec): HttpMatch {
  return {
    name: spec.name ?? "",
    uri: stringMatcher(spec.uri),
    isUriCaseIgnored: spec.ignoreUriCase ?? false,
    scheme: stringMatcher(spec.scheme),
    method: stringMatcher(spec.method),
    authority: stringMatcher(spec.authority),
    headers: namedMatchers(spec.headers),
    withoutHeaders: namedMatchers(spec.withoutHeaders),
    queryParams: namedMatchers(spec.queryParams),
    port: spec.port,
    source: callerMatch(spec),
  };
}

function callerMatch(spec: {
  sourceLabels?: Readonly<Record<string, string>>;
  sourceNamespace?: string;
}): CallerMatch {
  return { labels: spec.sourceLabels ?? {}, namespace: spec.sourceNamespace || undefined };
}

/** An empty match, as in `end-user: {}`, asks for presence. */
function stringMatcher(match: StringMatch | undefined): StringMatcher | undefined {
  if (!match) return undefined;
  for (const kind of ["exact", "prefix", "regex"] as const) {
    const value = match[kind];
    if (value !== undefined) return { kind, value };
  }
  return { kind: "present" };
}

function namedMatchers(matches: Readonly<Record<string, StringMatch>> | undefined): NamedMatcher[] {
  return Object.entries(matches ?? {})
    .map(([name, match]) => ({ name, matcher: stringMatcher(match)! }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function httpAction(spec: HttpRouteSpec, resource: VirtualService, options: MeshOptions): HttpAction {
  const { redirect, directResponse, retries, rewrite } = spec;
  if (redirect) {
    const derived = { FROM_REQUEST_PORT: "request", FROM_PROTOCOL_DEFAULT: "protocol-default" } as const;
    return {
      kind: "redirect",
      status: redirect.redirectCode ?? 301,
      path: redirect.uri,
      pathPrefix: redirect.prefixRewrite,
      authority: redirect.authority,
      scheme: redirect.scheme,
      port: redirect.port ?? (redirect.derivePort && derived[redirect.derivePort]),
    };
  }
  if (directResponse) {
    const { string, bytes } = directResponse.body ?? {};
    const body =
      string !== undefined ? { text: string } : bytes !== undefined ? { base64: bytes } : undefined;
    return { kind: "direct-response", status: directResponse.status, body };
  }
  return {
    kind: "forward",
    destinations: (spec.route ?? []).map((target, _, all) => ({
      ...destinationOf(target.destination, target.weight ?? (all.length === 1 ? 1 : 0), resource, options),
      headers: headerEdits(target.headers),
    })),
    timeoutMs: durationMs(spec.timeout) ?? 0,
    retries: retries && (retries.attempts === 0 ? "none" : retriesOf(retries)),
    rewritePath: rewrite?.uri,
    rewriteRegex: rewrite?.uriRegexRewrite && {
      pattern: rewrite.uriRegexRewrite.match!,
      substitution: rewrite.uriRegexRewrite.rewrite ?? "",
    },
    rewriteAuthority: rewrite?.authority,
    mirrors: mirrorsOf(spec, resource, options),
  };
}

function retriesOf(spec: NonNullable<HttpRouteSpec["retries"]>): Retries {
  return {
    attempts: spec.attempts ?? 2,
    perTryTimeoutMs: durationMs(spec.perTryTimeout),
    on: spec.retryOn || undefined,
    avoidsPreviousHosts: spec.retryIgnorePreviousHosts ?? true,
    leavesPriorities: spec.retryRemoteLocalities ?? false,
    backoffMs: durationMs(spec.backoff),
  };
}

function destinationOf(
  spec: DestinationSpec,
  weight: number,
  resource: VirtualService,
  options: MeshOptions,
): Destination {
  return {
    host: resolveHost(spec.host, resource.namespace, options),
    subset: spec.subset ?? "",
    port: spec.port?.number || undefined,
    weight,
  };
}

function faultOf({ fault }: HttpRouteSpec): Fault | undefined {
  if (!fault) return undefined;
  const { delay, abort } = fault;
  return {
    delay: delay && {
      fixedMs: durationMs(delay.fixedDelay)!,
      percent: delay.percentage?.value ?? delay.percent ?? 100,
    },
    abort: abort && { error: abortError(abort), percent: abort.percentage?.value ?? 100 },
  };
}

function abortError({ grpcStatus, httpStatus }: NonNullable<FaultSpec["abort"]>): AbortError {
  return grpcStatus === undefined
    ? { httpStatus: httpStatus! }
    : { grpcStatus: grpcCodeNames.indexOf(grpcStatus) };
}

function corsOf(spec: CorsSpec): Cors {
  const written = spec.allowOrigins ?? spec.allowOrigin?.map((exact) => ({ exact })) ?? [];
  const maxAgeMs = durationMs(spec.maxAge);
  return {
    // One that is empty was refused when it was read.
    origins: written
      .map(stringMatcher)
      .filter((matcher) => matcher !== undefined && matcher.kind !== "present"),
    methods: spec.allowMethods ?? [],
    headers: spec.allowHeaders ?? [],
    exposedHeaders: spec.exposeHeaders ?? [],
    maxAgeSeconds: maxAgeMs === undefined ? undefined : Math.floor(maxAgeMs / 1000),
    allowsCredentials: spec.allowCredentials ?? false,
    forwardsUnmatchedPreflights: spec.unmatchedPreflights !== "IGNORE",
  };
}

/** Of all requests unless a share is written; a share of 0 is no mirror. */
function mirrorsOf(spec: HttpRouteSpec, resource: VirtualService, options: MeshOptions): Mirror[] {
  const percent = spec.mirrorPercentage
    ? (spec.mirrorPercentage.value ?? 0)
    : (spec.mirrorPercent ?? spec.mirror_percent ?? 100);
  const written = [
    ...(spec.mirror ? [{ destination: spec.mirror, percent }] : []),
    ...(spec.mirrors ?? []).map(({ destination, percentage }) => ({
      destination,
      percent: percentage ? (percentage.value ?? 0) : 100,
    })),
  ];
  return written
    .filter(({ percent }) => percent > 0)
    .map(({ destination, percent }) => ({
      destination: destinationOf(destination, 1, resource, options),
      percent,
    }));
}

function headerEdits(spec: HeadersSpec | undefined): HeaderEdits {
  return { request: headerOperations(spec?.request), response: headerOperations(spec?.response) };
}

function headerOperations(spec: HeaderOperationsSpec | undefined): HeaderOperations {
  const values = (record: Readonly<Record<string, string>> | undefined) =>
    Object.entries(record ?? {})
      .map(([name, value]) => ({ name, value }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  return { set: values(spec?.set), add: values(spec?.add), remove: spec?.remove ?? [] };
}

function addressesOf(spec: Parameters<typeof addressMatch>[0]) {
  const addresses = addressMatch(spec);
  return addresses ? { addresses } : {};
}

function tcpRoute(
  resource: VirtualService,
  index: number,
  matches: NonNullable<TcpRouteSpec["match"]>,
  options: MeshOptions,
): TcpRoute {
  const spec = resource.spec.tcp![index]!;
  return {
    matches: matches.map((match) => ({
      port: match.port,
      source: callerMatch(match),
      ...addressesOf(match),
    })),
    destinations: tcpDestinations(spec, resource, options),
    source: provenanceOf(resource, `spec.tcp[${index}]`),
  };
}

function tlsRoute(
  resource: VirtualService,
  index: number,
  matches: TlsRouteSpec["match"],
  options: MeshOptions,
): TlsRoute {
  const spec = resource.spec.tls![index]!;
  return {
    matches: matches.map((match) => ({
      sniHosts: match.sniHosts.map((name) => name.toLowerCase()),
      port: match.port,
      source: callerMatch(match),
      ...addressesOf(match),
    })),
    destinations: tcpDestinations(spec, resource, options),
    source: provenanceOf(resource, `spec.tls[${index}]`),
  };
}

function tcpDestinations(
  { route = [] }: Pick<TcpRouteSpec, "route">,
  resource: VirtualService,
  options: MeshOptions,
): Destination[] {
  return route.map(({ destination, weight }) =>
    destinationOf(destination, weight ?? (route.length === 1 ? 1 : 0), resource, options),
  );
}

/** Durations were checked when the resource was read. */
function durationMs(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseDurationMs(text);
}
