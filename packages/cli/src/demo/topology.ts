/** One instance of the demo's services: what runs, and where. */
export interface DemoWorkload {
  readonly service: string;
  /** "" for the traffic source, which serves nothing. */
  readonly version: string;
  /** File below `demo/apps`; `fallback` runs where `python3` is missing. */
  readonly app: string;
  readonly fallback?: string;
  readonly port: number | undefined;
  /** A port that speaks no HTTP. */
  readonly tcpPort?: number;
  /** Last octet of its address. */
  readonly octet: number;
  /** Gets Envoy for a sidecar with `--envoy`: half of them, so that each kind calls the other. */
  readonly mayHaveEnvoy: boolean;
  /** Services it calls: explicit upstreams where there is no interception. */
  readonly calls: readonly string[];
  /** A service whose `tcpPort` it connects to. */
  readonly connectsTo?: string;
}

export const servicePort = 9080;
export const votesPort = 9070;

/** Bookinfo as its users know it, and one reader of the page. */
export const workloads: readonly DemoWorkload[] = [
  {
    service: "details",
    version: "v1",
    app: "details.py",
    fallback: "details.mjs",
    port: 9080,
    octet: 11,
    mayHaveEnvoy: false,
    calls: [],
  },
  {
    service: "ratings",
    version: "v1",
    app: "ratings.mjs",
    port: 9080,
    tcpPort: votesPort,
    octet: 12,
    mayHaveEnvoy: true,
    calls: [],
  },
  {
    service: "reviews",
    version: "v1",
    app: "reviews.mjs",
    port: 9080,
    octet: 13,
    mayHaveEnvoy: false,
    calls: [],
  },
  {
    service: "reviews",
    version: "v2",
    app: "reviews.mjs",
    port: 9080,
    octet: 14,
    mayHaveEnvoy: true,
    calls: ["ratings"],
  },
  {
    service: "reviews",
    version: "v3",
    app: "reviews.mjs",
    port: 9080,
    octet: 15,
    mayHaveEnvoy: false,
    calls: ["ratings"],
  },
  {
    service: "productpage",
    version: "v1",
    app: "productpage.mjs",
    port: 9080,
    octet: 16,
    mayHaveEnvoy: true,
    calls: ["details", "reviews"],
  },
  {
    service: "traffic",
    version: "",
    app: "traffic.mjs",
    port: undefined,
    octet: 17,
    mayHaveEnvoy: false,
    calls: ["productpage", "details", "reviews"],
    connectsTo: "ratings",
  },
];

/** `reviews-v1`; the name of its namespace, log and run directory. */
export function workloadName(workload: DemoWorkload): string {
  return workload.version ? `${workload.service}-${workload.version}` : workload.service;
}

export function findWorkload(name: string): DemoWorkload {
  const found = workloads.find((workload) => workloadName(workload) === name);
  if (!found) throw new Error(`the demo has no workload ${name}`);
  return found;
}
