import type { Clock } from "@weft/base/clock";
import type { AppMetricsPlace } from "./metrics/app-metrics-target.ts";
import type { MetricOptions } from "./metrics/metric-options.ts";

/** What the application speaks on a port; a declared protocol always wins over detection. */
export type AppProtocol = "http" | "http2" | "grpc" | "tcp" | "tls";

/** One port the application listens on. */
export interface AppPort {
  /** The service's port, where callers connect. */
  readonly port: number;
  readonly protocol: AppProtocol;
  /** Port name, as in a Kubernetes Service; also reachable in `DestinationRule`s and metrics. */
  readonly name: string;
}

/** An explicit local listener for a service this workload calls, without interception. */
export interface Upstream {
  /** The service's host, e.g. `reviews` or `reviews.default.svc.cluster.local`. */
  readonly host: string;
  readonly port: number;
  readonly bindAddress: string;
  readonly bindPort: number;
}

export type DataPlaneKind = "weft" | "envoy" | "none";
export type CaptureMode = "nft" | "none";

/**
 * Everything `weft run` needs, already parsed: ports are in 1–65535, addresses
 * are IP literals, and nothing here is read from flags or environment again.
 */
export interface RunOptions {
  /** The service this workload serves, and the `app` label. May be left out for a member of a WorkloadGroup. */
  readonly name?: string;
  /** The WorkloadGroup that says what else this workload is: labels, ports, weight, probe. */
  readonly workloadGroup?: string;
  /**
   * There is no application: the proxy is a gateway, which serves what Gateways that select its labels say.
   * `ports` are then those by which workloads of the mesh reach it as a service, and where it listens for them.
   */
  readonly isGateway?: boolean;
  /** The `version` label; the workload is then `<name>-<version>`. */
  readonly version?: string;
  /** Default `default`. */
  readonly namespace?: string;
  /** Default: `name`, or else the group's name. */
  readonly serviceAccount?: string;
  /** Default `cluster.local`. */
  readonly trustDomain?: string;
  /** May be empty: a workload that only calls others. */
  readonly ports: readonly AppPort[];
  /**
   * The addresses of this workload, the most preferred first. Default: the first global one of each family
   * of the machine (or network namespace), IPv4 first. With `capture: "none"` the sidecar binds everything
   * to them; its admin interface to the first, where that is of loopback.
   */
  readonly addresses?: readonly string[];
  /** One-time join token. Not needed where the run directory holds a valid identity. */
  readonly token?: string;
  readonly tokenFile?: string;
  /** In place of a join token: the file of a Kubernetes service account's projected token, read for each certificate. */
  readonly serviceAccountToken?: string;
  /** Belongs to `serviceAccountToken`: PEM roots by which the control plane is recognised at first. */
  readonly rootCert?: string;
  /** `HOST:PORT`; default `127.0.0.1:15012`. */
  readonly controlPlane?: string;
  /** Default `weft`. */
  readonly proxy?: DataPlaneKind;
  /** Path of Envoy for `proxy: "envoy"`; default: `envoy` on the PATH. */
  readonly envoyPath?: string;
  /** Workers of the sidecar, each up to one processor. Default 1. */
  readonly concurrency?: number;
  /** Default: `nft` as root in a network namespace of its own where `nft` is installed, otherwise `none` (which it says). */
  readonly capture?: CaptureMode;
  /** Only with `capture: "none"`. */
  readonly upstreams?: readonly Upstream[];
  /** Only with `capture: "none"`: application port → port where the sidecar listens on `address`. Default: the same port. */
  readonly inboundPorts?: ReadonlyMap<number, number>;
  /** Kept out of interception, on top of the sidecar's own ports. */
  readonly exclude?: CaptureExclusions;
  /** Added to `app` and `version`. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Where this workload stands: `region`, `region/zone` or `region/zone/subzone`. */
  readonly locality?: string;
  /** Default `/run/weft/<namespace>/<workload>` as root, otherwise under `$XDG_RUNTIME_DIR` or the temporary directory. */
  readonly runDir?: string;
  /** What the sidecar has of the mesh where no Sidecar says it: what it has used, or everything. Default `learnt`. */
  readonly scope?: "learnt" | "all";
  /** File for the sidecar's access log; `-` is standard output, `none` or absent is off. */
  readonly accessLog?: string;
  /** Where the application shows metrics of its own, which its sidecar shows beside its. */
  readonly appMetrics?: AppMetricsPlace;
  readonly metrics?: MetricOptions;
  /** User name or uid of the application; default: the user who ran `sudo`, else the current one. */
  readonly appUser?: string;
  /** Program and its arguments; empty for a gateway. */
  readonly command: readonly string[];
  /**
   * A CommonJS file that Node loads before the application, and before every Node process that this starts
   * (`NODE_OPTIONS=--require`): what forwards the context of traces.
   */
  readonly nodePreload?: string;
  /** How to start `weft proxy`: program and leading arguments. Default: this Node and the CLI's entry. */
  readonly proxyCommand?: readonly string[];
  /** This Weft's version, which the control plane is told. */
  readonly productVersion: string;
  /** Where people are told things; default `process.stderr`. */
  readonly talk?: (line: string) => void;
  /** Default the system's clock. */
  readonly clock?: Clock;
  /** Stops the workload as SIGTERM does; default: the process's signals. */
  readonly signal?: AbortSignal;
}

/** Destinations and ports that interception leaves alone, named as Istio's annotations name them. */
export interface CaptureExclusions {
  readonly inboundPorts?: readonly number[];
  readonly outboundPorts?: readonly number[];
  readonly outboundCidrs?: readonly string[];
}
