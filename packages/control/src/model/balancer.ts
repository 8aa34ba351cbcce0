import type { ConsistentHashSpec, LoadBalancerSpec } from "../config/destination-rule-specs.ts";
import { parseDurationMs } from "../config/values.ts";

/** How the endpoint of a request is chosen. */
export type Balancer =
  | { readonly kind: "round-robin" | "least-request"; readonly warmup: Warmup | undefined }
  | { readonly kind: "random" }
  /** The address the caller chose, whatever endpoints there are. */
  | { readonly kind: "passthrough" }
  | ConsistentHash;

/** How the share of a new endpoint grows; undefined parts take the data plane's default. */
export interface Warmup {
  readonly durationMs: number;
  readonly minimumPercent: number | undefined;
  readonly aggression: number | undefined;
}

/** The same endpoint for the same key, as long as it is there. */
export interface ConsistentHash {
  readonly kind: "consistent-hash";
  /** Undefined: nothing was named, and every request has a key of its own. */
  readonly key: HashKey | undefined;
  readonly table:
    | { readonly kind: "ring"; readonly minimumSize: number | undefined }
    | { readonly kind: "maglev"; readonly size: number | undefined };
}

export type HashKey =
  | { readonly kind: "header" | "query"; readonly name: string }
  | { readonly kind: "source-ip" }
  | {
      readonly kind: "cookie";
      readonly name: string;
      readonly path: string;
      /** Undefined: a client without the cookie is given none. 0: until its session ends. */
      readonly ttlMs: number | undefined;
      readonly attributes: readonly { readonly name: string; readonly value: string }[];
    };

/** Where the table is not named: Istio's ring. */
const defaultRingSize = 1024;

/** As Istio: whatever is written of a load balancer replaces all of a wider one. */
export function buildBalancer(spec: LoadBalancerSpec): Balancer {
  if (spec.consistentHash) return consistentHash(spec.consistentHash);
  switch (spec.simple) {
    case "RANDOM":
      return { kind: "random" };
    case "PASSTHROUGH":
      return { kind: "passthrough" };
    case "ROUND_ROBIN":
      return { kind: "round-robin", warmup: warmupOf(spec) };
    default:
      return { kind: "least-request", warmup: warmupOf(spec) };
  }
}

function warmupOf({ warmup, warmupDurationSecs }: LoadBalancerSpec): Warmup | undefined {
  const written = warmup?.duration ?? warmupDurationSecs;
  if (written === undefined) return undefined;
  return {
    durationMs: parseDurationMs(written)!,
    minimumPercent: warmup?.minimumPercent,
    aggression: warmup?.aggression,
  };
}

function consistentHash(spec: ConsistentHashSpec): ConsistentHash {
  const { maglev, ringHash } = spec;
  return {
    kind: "consistent-hash",
    key: hashKey(spec),
    table: maglev
      ? { kind: "maglev", size: maglev.tableSize || undefined }
      : {
          kind: "ring",
          minimumSize: ringHash
            ? ringHash.minimumRingSize || undefined
            : spec.minimumRingSize || defaultRingSize,
        },
  };
}

function hashKey(spec: ConsistentHashSpec): HashKey | undefined {
  if (spec.httpHeaderName) return { kind: "header", name: spec.httpHeaderName };
  if (spec.httpQueryParameterName) return { kind: "query", name: spec.httpQueryParameterName };
  if (spec.useSourceIp) return { kind: "source-ip" };
  if (!spec.httpCookie) return undefined;
  const { name, path = "", ttl, attributes = [] } = spec.httpCookie;
  return {
    kind: "cookie",
    name,
    path,
    ttlMs: ttl === undefined ? undefined : parseDurationMs(ttl),
    attributes: attributes.map(({ name, value = "" }) => ({ name, value })),
  };
}
