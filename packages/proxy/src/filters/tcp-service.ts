import type { Clock } from "@weft/base/clock";
import type { ClusterDirectory } from "../cluster/cluster.ts";
import type { Exchange } from "../layer/exchange.ts";
import type { NetworkFilter } from "../layer/network-filter.ts";
import type { TcpStats } from "../listener/downstream-stats.ts";
import type { TcpProxyPlan } from "../listener/listener-plan.ts";
import type { Timers } from "../net/timers.ts";
import type { Observation } from "../observe/observation.ts";

/** A TCP proxy ready to serve. */
export interface TcpService {
  readonly plan: TcpProxyPlan;
  readonly stats: TcpStats;
  readonly direction: Exchange["direction"];
  readonly networkFilters: readonly NetworkFilter[];
  readonly context: TcpContext;
}

/** What every TCP proxy of a process shares. */
export interface TcpContext {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly clusters: ClusterDirectory;
  readonly onFault: (error: unknown) => void;
  readonly observation: Observation;
}
