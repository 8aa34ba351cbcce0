/** One proxy process of a case. */
interface Hop {
  readonly name: string;
  /** File under `bench/bootstraps`; `$NAME$` in it is filled in by `fillBootstrap`. */
  readonly bootstrap: string;
}

/**
 * What is measured: a chain of proxies, first hop first, and how it is loaded.
 * A new case is an entry here and its bootstraps.
 */
export interface BenchCase {
  readonly name: string;
  readonly title: string;
  readonly hops: readonly Hop[];
  /** What the load tools speak to the first hop. */
  readonly protocol: "http1" | "http2";
  /** Concurrent requests per connection; 1 for HTTP/1.1. */
  readonly streams: number;
  /** Overrides `--connections` where the protocol multiplexes. */
  readonly connections?: number;
  readonly path: string;
  readonly responseBytes: number;
  readonly needsCertificates: boolean;
}

export const benchCases: readonly BenchCase[] = [
  {
    name: "http1-plain",
    title: "HTTP/1.1 plain, one hop",
    hops: [{ name: "proxy", bootstrap: "http1-plain.yaml" }],
    protocol: "http1",
    streams: 1,
    path: "/bench",
    responseBytes: 128,
    needsCertificates: false,
  },
  {
    name: "http1-mtls",
    title: "HTTP/1.1 mutual TLS, two hops, access log, stats, retries and RBAC on",
    hops: [
      { name: "client", bootstrap: "http1-mtls-client.yaml" },
      { name: "server", bootstrap: "http1-mtls-server.yaml" },
    ],
    protocol: "http1",
    streams: 1,
    path: "/bench",
    responseBytes: 128,
    needsCertificates: true,
  },
];
