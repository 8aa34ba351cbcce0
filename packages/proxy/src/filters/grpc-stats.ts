import type { Cluster } from "../cluster/cluster.ts";
import type { Exchange } from "../layer/exchange.ts";
import type { HttpFilter } from "../layer/http-filter.ts";
import { isGrpc } from "../route/request-matcher.ts";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";
import { GrpcMessageCounter } from "./grpc-message-counter.ts";

/** Which calls are counted under their service and method; the others count for their cluster alone. */
export type CountedMethods = "all" | "none" | ReadonlySet<string>;

export interface GrpcStatsPlan {
  /** As `/package.Service/Method` where it is a set. */
  readonly methods: CountedMethods;
  readonly measuresTime: boolean;
  /** Underscores in the place of dots, in the names of services. */
  readonly replacesDots: boolean;
}

/** What a chain has counted of one cluster, or of one method there. */
interface Counters {
  count(name: string, by: number): void;
  observe(name: string, value: number): void;
}

interface Call {
  readonly counters: Counters;
  readonly startMs: number;
}

/** Anybody can call methods that do not exist: further ones count for their cluster alone. */
const maxMethods = 1_000;
const prefix = "cluster.{envoy_cluster_name}.grpc.{envoy_grpc_bridge_service}.{envoy_grpc_bridge_method}";

/**
 * Counts gRPC calls by status, and their messages, per upstream cluster and
 * where it is asked for per method.
 *
 * @see envoy.extensions.filters.http.grpc_stats.v3.FilterConfig
 */
export function createGrpcStatsFilter(plan: GrpcStatsPlan, stats: EnvoyStats, name: string): HttpFilter {
  const counted = new CountedCalls(plan, stats);
  return {
    name,
    onRequest(exchange) {
      const { request, cluster } = exchange;
      const names = cluster && isGrpc(request!) ? /^\/([^/]+)\/([^/]+)$/.exec(request!.path) : null;
      if (!cluster || !names) return "continue";
      const call: Call = { counters: counted.of(cluster, names), startMs: exchange.startMs };
      exchange.filterState ??= new Map();
      exchange.filterState.set(name, call);
      exchange.addRequestStage(messageCounter(call.counters, "request_message_count"));
      return "continue";
    },
    onResponse(exchange, end) {
      const call = exchange.filterState?.get(name) as Call | undefined;
      const { status, headers } = exchange.response!;
      const isAnswer = status === 200 && headers.get("content-type")?.startsWith("application/grpc") === true;
      if (call && isAnswer && !end) {
        exchange.addResponseStage(messageCounter(call.counters, "response_message_count"));
      }
      return "continue";
    },
    onComplete(exchange) {
      const call = exchange.filterState?.get(name) as Call | undefined;
      if (call) tellOutcome(call, exchange, plan.measuresTime);
    },
  };
}

function messageCounter(counters: Counters, what: string): GrpcMessageCounter {
  return new GrpcMessageCounter((messages) => counters.count(what, messages));
}

/** Counts the call by its status, where it ended with one. */
function tellOutcome({ counters, startMs }: Call, exchange: Exchange, measuresTime: boolean): void {
  const status =
    exchange.responseTrailers?.get("grpc-status") ?? exchange.response?.headers.get("grpc-status");
  if (status === undefined) return;
  counters.count(/^\d{1,9}$/.test(status) ? status : "invalid_status", 1);
  counters.count(status === "0" ? "success" : "failure", 1);
  counters.count("total", 1);
  if (measuresTime && !exchange.isLocalReply) counters.observe("upstream_rq_time", exchange.endMs - startMs);
}

/** The counters of each method, made when it is first called. */
class CountedCalls {
  readonly #plan: GrpcStatsPlan;
  readonly #stats: EnvoyStats;
  readonly #byCall = new Map<string, Counters>();

  constructor(plan: GrpcStatsPlan, stats: EnvoyStats) {
    this.#plan = plan;
    this.#stats = stats;
  }

  /** @param names the path of the call, its service and its method */
  of({ plan: { statName } }: Cluster, names: RegExpExecArray): Counters {
    if (!this.#isNamed(names[0])) return this.#of(statName, statName, undefined);
    const key = `${statName} ${names[0]}`;
    const isFull = this.#byCall.size >= maxMethods && !this.#byCall.has(key);
    return isFull ? this.#of(statName, statName, undefined) : this.#of(key, statName, names);
  }

  #of(key: string, cluster: string, names: RegExpExecArray | undefined): Counters {
    let counters = this.#byCall.get(key);
    if (!counters) {
      counters = this.#create(cluster, names);
      this.#byCall.set(key, counters);
    }
    return counters;
  }

  #isNamed(path: string): boolean {
    const { methods } = this.#plan;
    return methods === "all" || (methods !== "none" && methods.has(path));
  }

  #create(cluster: string, names: RegExpExecArray | undefined): Counters {
    const stats = this.#stats;
    const service = names && (this.#plan.replacesDots ? names[1]!.replaceAll(".", "_") : names[1]!);
    const labels = [cluster, service ?? "", names?.[2] ?? ""];
    return {
      count: (what, by) => stats.counter(`${prefix}.${what}`, ...labels).add(by),
      observe: (what, value) => stats.histogram(`${prefix}.${what}`, ...labels).observe(value),
    };
  }
}
