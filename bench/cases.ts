import { issuerKeys, pathsWithTokens } from "./end-users.ts";
import { manyPolicies, type PolicyKind } from "./many-policies.ts";
import { manyVirtualHosts } from "./many-virtual-hosts.ts";

/** What one process speaks to the next. `grpc` is HTTP/2 with trailers and a message each way. */
export type Protocol = "http1" | "http2" | "grpc";

/** One proxy process of a case. */
interface Hop {
  readonly name: string;
  /** File under `bench/bootstraps`; `$NAME$` in it is filled in by `fillBootstrap`. */
  readonly bootstrap: string;
  /** What it speaks to the next hop, or to the upstream. Default: HTTP/1.1. */
  readonly next?: Protocol;
  /** More values for the bootstrap. */
  readonly values?: () => Readonly<Record<string, string>>;
}

/**
 * What is measured: a chain of proxies, first hop first, and how it is loaded.
 * A new case is an entry here and its bootstraps.
 */
export interface BenchCase {
  readonly name: string;
  readonly title: string;
  /**
   * `requests`: as many as it takes, then a constant rate. `connections`: what ten thousand
   * idle ones hold. `handshakes`: new mutual-TLS connections, none resumed.
   */
  readonly kind: "requests" | "connections" | "handshakes";
  readonly hops: readonly Hop[];
  /** What the load tools speak to the first hop. */
  readonly protocol: Protocol;
  /** Concurrent requests per connection; 1 for HTTP/1.1. */
  readonly streams: number;
  /** Overrides `--connections` where the protocol multiplexes or the answers are large. */
  readonly connections?: number;
  readonly path: string;
  /** Asked for in turn, where it matters that they differ. Over HTTP/1.1 only. */
  readonly paths?: () => readonly string[];
  /** `host` or `:authority` of the requests, where it matters. */
  readonly authority?: string;
  readonly responseBytes: number;
  /** False where a thousand answers a second are more than the machine moves. */
  readonly hasLatency: boolean;
  readonly needsCertificates: boolean;
}

/** Requests over HTTP/1.1, as most cases have them. */
export const plainRequests: Omit<BenchCase, "name" | "title" | "hops"> = {
  kind: "requests",
  protocol: "http1",
  streams: 1,
  path: "/bench",
  responseBytes: 128,
  hasLatency: true,
  needsCertificates: false,
};
const multiplexed = { connections: 4, streams: 20 } as const;

function pair(
  between: Protocol,
  upstream: Protocol,
  policies: { readonly count: number; readonly kind: PolicyKind } = { count: 1, kind: "callers" },
): readonly Hop[] {
  const values = () => ({ POLICIES: manyPolicies(policies.count, policies.kind) });
  return [
    { name: "client", bootstrap: "mtls-client.yaml", next: between },
    { name: "server", bootstrap: "mtls-server.yaml", next: upstream, values },
  ];
}

export const benchCases: readonly BenchCase[] = [
  {
    ...plainRequests,
    name: "http1-plain",
    title: "HTTP/1.1 plain, one hop",
    hops: [{ name: "proxy", bootstrap: "plain.yaml" }],
  },
  {
    ...plainRequests,
    name: "http1-mtls",
    title: "HTTP/1.1 mutual TLS, two hops, access log, stats, retries and RBAC on",
    hops: pair("http1", "http1"),
    needsCertificates: true,
  },
  {
    ...plainRequests,
    ...multiplexed,
    name: "http2-plain",
    title: "HTTP/2 plain, one hop, 4 connections of 20 streams",
    hops: [{ name: "proxy", bootstrap: "plain.yaml", next: "http2" }],
    protocol: "http2",
  },
  {
    ...plainRequests,
    ...multiplexed,
    name: "grpc-plain",
    title: "gRPC unary plain, one hop, 4 connections of 20 streams",
    hops: [{ name: "proxy", bootstrap: "plain.yaml", next: "grpc" }],
    protocol: "grpc",
  },
  {
    ...plainRequests,
    ...multiplexed,
    name: "grpc-mtls",
    title: "gRPC unary mutual TLS, two hops, access log, stats, retries and RBAC on",
    hops: pair("grpc", "grpc"),
    protocol: "grpc",
    needsCertificates: true,
  },
  {
    ...plainRequests,
    name: "http1-over-http2",
    title: "HTTP/1.1 applications, HTTP/2 mutual TLS between the two proxies, the same filters on",
    hops: pair("http2", "http1"),
    needsCertificates: true,
  },
  ...([64, 1024] as const).flatMap((kib): BenchCase[] => [
    {
      ...plainRequests,
      name: `http1-body-${kib}k`,
      title: `HTTP/1.1 plain, one hop, ${kib} KiB answers`,
      hops: [{ name: "proxy", bootstrap: "plain.yaml" }],
      connections: 8,
      responseBytes: kib * 1024,
      hasLatency: false,
    },
    {
      ...plainRequests,
      name: `http2-body-${kib}k`,
      title: `HTTP/2 plain, one hop, ${kib} KiB answers, 4 connections of 4 streams`,
      hops: [{ name: "proxy", bootstrap: "plain.yaml", next: "http2" }],
      protocol: "http2",
      connections: 4,
      streams: 4,
      responseBytes: kib * 1024,
      hasLatency: false,
    },
  ]),
  {
    ...plainRequests,
    name: "tcp-stream",
    title: "TCP proxy, one hop, streams of 4 MiB",
    hops: [{ name: "proxy", bootstrap: "tcp.yaml" }],
    connections: 4,
    responseBytes: 4 * 1024 * 1024,
    hasLatency: false,
  },
  ...([100, 1_000] as const).map(
    (routes): BenchCase => ({
      ...plainRequests,
      name: `routes-${routes}`,
      title: `HTTP/1.1 plain, ${routes} routes in the last of 200 virtual hosts, the last one matches`,
      hops: [
        {
          name: "proxy",
          bootstrap: "many-routes.yaml",
          values: () => ({ VIRTUAL_HOSTS: manyVirtualHosts(200, routes) }),
        },
      ],
      path: `/service-${routes - 1}/bench`,
      authority: "host-199.example.com",
    }),
  ),
  ...(["callers", "paths"] as const).map(
    (kind): BenchCase => ({
      ...plainRequests,
      name: `policies-by-${kind}`,
      title: `the same with 1,000 policies that differ by ${kind}: the last of them allows`,
      hops: pair("http1", "http1", { count: 1000, kind }),
      needsCertificates: true,
      hasLatency: false,
    }),
  ),
  {
    ...plainRequests,
    name: "jwt",
    title: "HTTP/1.1 plain, one hop, each request with another ES256 token",
    hops: [{ name: "proxy", bootstrap: "jwt.yaml", values: () => ({ KEYS: issuerKeys() }) }],
    path: pathsWithTokens(1)[0]!,
    paths: () => pathsWithTokens(500),
    hasLatency: false,
  },
  {
    ...plainRequests,
    kind: "connections",
    name: "idle-connections",
    title: "10,000 idle HTTP/1.1 connections, each after one request",
    hops: [{ name: "proxy", bootstrap: "plain.yaml" }],
    hasLatency: false,
  },
  {
    ...plainRequests,
    kind: "handshakes",
    name: "handshakes",
    title: "New mutual-TLS connections, full handshakes, one request each",
    hops: pair("http1", "http1").slice(1),
    hasLatency: false,
    needsCertificates: true,
  },
];
