import { KeptFor } from "@weft/base/kept-for";
import type { AddressMatch } from "./address-match.ts";
import type { AuthorizationProvider } from "./authorization-provider.ts";
import type { Provenance } from "./provenance.ts";

/** The routes one VirtualService gives one host. The first that matches applies. */
export interface HostRouting {
  /** A hostname, or a wildcard such as `*.default.svc.cluster.local`. */
  readonly host: string;
  readonly namespace: string;
  readonly name: string;
  /** Namespaces whose proxies see it, where those are not all. */
  readonly visibleIn?: readonly string[];
  readonly http: readonly HttpRoute[];
  readonly tcp: readonly TcpRoute[];
  readonly tls: readonly TlsRoute[];
  readonly source: Provenance;
}

export interface ValueMatcher {
  readonly kind: "exact" | "prefix" | "regex";
  readonly value: string;
}

export type StringMatcher = ValueMatcher | { readonly kind: "present" };

/** `path-prefix` matches whole elements: `/a` matches `/a` and `/a/b`, not `/ab`. It does not end with a slash. */
export type PathMatcher = StringMatcher | { readonly kind: "path-prefix"; readonly value: string };

export interface NamedMatcher {
  readonly name: string;
  readonly matcher: StringMatcher;
}

/** All parts must hold; an absent part always does. */
export interface HttpMatch {
  readonly name: string;
  readonly uri: PathMatcher | undefined;
  readonly isUriCaseIgnored: boolean;
  readonly scheme: StringMatcher | undefined;
  readonly method: StringMatcher | undefined;
  readonly authority: StringMatcher | undefined;
  readonly headers: readonly NamedMatcher[];
  readonly withoutHeaders: readonly NamedMatcher[];
  readonly queryParams: readonly NamedMatcher[];
  readonly port: number | undefined;
  readonly source: CallerMatch;
}

/** Which callers a match is for: decided when a caller's routes are made, never per request. */
export interface CallerMatch {
  readonly labels: Readonly<Record<string, string>>;
  readonly namespace: string | undefined;
}

export interface HttpRoute {
  readonly name: string;
  /** One of these must match; empty matches every request. */
  readonly matches: readonly HttpMatch[];
  readonly action: HttpAction;
  readonly fault: Fault | undefined;
  readonly cors: Cors | undefined;
  /** Each of them must say yes to each request. */
  readonly authorizers?: readonly AuthorizationProvider[];
  /** How requests of one client find the endpoint of its first one. */
  readonly session?: SessionCarrier;
  readonly headers: HeaderEdits;
  readonly source: Provenance;
}

/** What carries the endpoint of a session from one request to the next. */
export type SessionCarrier =
  | { readonly kind: "header"; readonly name: string }
  | {
      readonly kind: "cookie";
      readonly name: string;
      readonly path: string;
      /** Undefined: until the client ends its session. */
      readonly lifetimeMs: number | undefined;
    };

export type HttpAction =
  | ForwardAction
  | RedirectAction
  | { readonly kind: "direct-response"; readonly status: number; readonly body: DirectBody | undefined };

export interface RedirectAction {
  readonly kind: "redirect";
  readonly status: number;
  readonly path: string | undefined;
  readonly pathPrefix: string | undefined;
  readonly pathEdit?: PathEdit;
  readonly authority: string | undefined;
  readonly scheme: string | undefined;
  readonly port: number | "request" | "protocol-default" | undefined;
  /** Leaves a port out that the scheme implies. */
  readonly omitsDefaultPort?: boolean;
}

export type DirectBody = { readonly text: string } | { readonly base64: string };

export interface ForwardAction {
  readonly kind: "forward";
  readonly destinations: readonly HttpDestination[];
  /** 0: none. */
  readonly timeoutMs: number;
  /** Undefined: the mesh's default; "none": the route asks for no retry. */
  readonly retries: Retries | "none" | undefined;
  readonly rewritePath: string | undefined;
  readonly rewriteRegex: { readonly pattern: string; readonly substitution: string } | undefined;
  readonly rewriteAuthority: string | undefined;
  readonly mirrors: readonly Mirror[];
  readonly pathEdit?: PathEdit;
  /** What calls for a destination that does not exist are answered with; undefined: 503. */
  readonly missingStatus?: 500;
}

/** Another path: in place of all of it, or of the elements that a `path-prefix` matched. */
export type PathEdit =
  | { readonly kind: "full"; readonly path: string }
  | { readonly kind: "prefix"; readonly matched: string; readonly replacement: string };

/** Where a copy of a share of the requests goes; its answers are dropped. */
export interface Mirror {
  readonly destination: Destination;
  readonly percent: number;
}

export interface Destination {
  readonly host: string;
  readonly subset: string;
  /** Undefined: the service's only port, or else the port that was called. */
  readonly port: number | undefined;
  /** Share of the sum of all weights; 0 gets nothing. */
  readonly weight: number;
}

export interface HttpDestination extends Destination {
  readonly headers: HeaderEdits;
  /** What becomes of its share of the requests, where that is more than that they go there. */
  readonly own?: DestinationFilters;
}

/** Of one destination: in place of what its route says of the same; copies are made and others are asked beside. */
export interface DestinationFilters {
  /** Its share is answered, and goes nowhere. */
  readonly redirect?: RedirectAction;
  readonly cors?: Cors;
  readonly rewriteAuthority?: string;
  readonly pathEdit?: PathEdit;
  readonly mirrors: readonly Mirror[];
  readonly authorizers: readonly AuthorizationProvider[];
}

export interface Retries {
  readonly attempts: number;
  readonly perTryTimeoutMs: number | undefined;
  /** Undefined: the mesh's default conditions. */
  readonly on: string | undefined;
  readonly avoidsPreviousHosts: boolean;
  /** Goes on to places farther away when nearer ones were tried twice. */
  readonly leavesPriorities: boolean;
  readonly backoffMs: number | undefined;
}

export interface Fault {
  readonly delay: { readonly fixedMs: number; readonly percent: number } | undefined;
  readonly abort: { readonly error: AbortError; readonly percent: number } | undefined;
}

export type AbortError = { readonly httpStatus: number } | { readonly grpcStatus: number };

/** What a route answers browsers about calls from pages of other origins. */
export interface Cors {
  readonly origins: readonly ValueMatcher[];
  readonly methods: readonly string[];
  readonly headers: readonly string[];
  readonly exposedHeaders: readonly string[];
  readonly maxAgeSeconds: number | undefined;
  readonly allowsCredentials: boolean;
  /** Whether a preflight of an origin that is not allowed goes on to the application. */
  readonly forwardsUnmatchedPreflights: boolean;
}

export interface HeaderEdits {
  readonly request: HeaderOperations;
  readonly response: HeaderOperations;
}

export function isEdited({ request, response }: HeaderEdits): boolean {
  return [request, response].some(({ set, add, remove }) => set.length + add.length + remove.length > 0);
}

export interface HeaderOperations {
  readonly set: readonly HeaderValue[];
  readonly add: readonly HeaderValue[];
  readonly remove: readonly string[];
}

export interface HeaderValue {
  readonly name: string;
  readonly value: string;
}

export interface TcpRoute {
  /** One of these must match; empty matches every connection. */
  readonly matches: readonly {
    readonly port: number | undefined;
    readonly source: CallerMatch;
    readonly addresses?: AddressMatch;
  }[];
  readonly destinations: readonly Destination[];
  readonly source: Provenance;
}

/** Of TLS connections that are passed on as they are. One of the matches must hold. */
export interface TlsRoute {
  readonly matches: readonly {
    /** Names, or wildcards such as `*.example.com`: one must be the client's server name. */
    readonly sniHosts: readonly string[];
    readonly port: number | undefined;
    readonly source: CallerMatch;
    readonly addresses?: AddressMatch;
  }[];
  readonly destinations: readonly Destination[];
  readonly source: Provenance;
}

/** What may become of the calls of one host, or of one port of it. */
export type RouteSet = Pick<HostRouting, "http" | "tcp" | "tls">;

/** The routes that are attached to a service, by the port that was called: of one kind on each port. */
export interface AttachedRoutes {
  readonly host: string;
  /** Of the service. */
  readonly namespace: string;
  /** Attached in the service's own namespace: for every caller that has none of its own. */
  readonly producer: ReadonlyMap<number, RouteSet>;
  /** Attached elsewhere: by namespace, for the callers there. */
  readonly consumers: ReadonlyMap<string, ReadonlyMap<number, RouteSet>>;
}

/**
 * What routes the calls of one caller to a port of a service: routes attached
 * in the caller's namespace, else in the service's, else what a VirtualService
 * says of its host. These are not merged.
 */
export function routesTo(
  hostname: string,
  port: number,
  mesh: {
    readonly attached: ReadonlyMap<string, AttachedRoutes>;
    readonly routing: ReadonlyMap<string, HostRouting>;
  },
  caller: { readonly namespace: string },
): RouteSet | undefined {
  const attached = mesh.attached.get(hostname);
  const own = attached?.consumers.get(caller.namespace)?.get(port) ?? attached?.producer.get(port);
  return own ?? routingOf(mesh.routing, hostname);
}

/** The routing of a hostname: its own, or that of the longest wildcard it falls under. */
export function routingOf(
  routing: ReadonlyMap<string, HostRouting>,
  hostname: string,
): HostRouting | undefined {
  const own = routing.get(hostname);
  if (own || !hasWildcards(routing)) return own;
  const labels = (hostname.startsWith("*.") ? hostname.slice(2) : hostname).split(".");
  for (let i = 1; i < labels.length; i++) {
    const wildcard = routing.get(`*.${labels.slice(i).join(".")}`);
    if (wildcard) return wildcard;
  }
  return undefined;
}

const wild = new KeptFor<ReadonlyMap<string, HostRouting>, boolean>();

function hasWildcards(routing: ReadonlyMap<string, HostRouting>): boolean {
  return wild.get(routing, [], () => routing.keys().some((key) => key.startsWith("*")));
}

/** Whether a match is for a caller of this namespace with these labels. */
export function isCaller(
  match: CallerMatch,
  caller: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
): boolean {
  if (match.namespace !== undefined && match.namespace !== caller.namespace) return false;
  return Object.entries(match.labels).every(([name, value]) => caller.labels[name] === value);
}
