import type { Clock } from "@weft/base/clock";
import type { ClusterDirectory, Endpoint } from "../cluster/cluster.ts";
import { drainEndpoint } from "../cluster/endpoint-pools.ts";
import { type Callouts, createCallouts } from "../filters/callout.ts";
import { Router } from "../filters/router.ts";
import { Timers } from "../net/timers.ts";
import { turnClock } from "../net/turn.ts";
import { type Observation, unobserved } from "../observe/observation.ts";
import { neverOverloaded, type OverloadState } from "../overload/overload-state.ts";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";
import { ConnectionLimit } from "./active-listener.ts";
import { createDownstreamStats } from "./downstream-stats.ts";
import { createListenerManagerStats } from "./listener-manager-stats.ts";
import type { ListenerPlan } from "./listener-plan.ts";
import {
  type BindSocket,
  type DrainPlan,
  type DrainRequest,
  type ListenerFailure,
  ListenerSet,
  type ListenerStatus,
} from "./listener-set.ts";

export interface RuntimeOptions {
  readonly clock: Clock;
  readonly clusters: ClusterDirectory;
  readonly stats: EnvoyStats;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
  /** Refused connections, and defects that were contained. */
  readonly log?: (
    level: "debug" | "warning" | "error",
    message: string,
    fields: Readonly<Record<string, unknown>>,
  ) => void;
  /** How connections of replaced, removed and drained listeners leave. Default as Envoy: gradually, over 600 s. */
  readonly drain?: DrainPlan | undefined;
  /** Downstream connections over all listeners; more are refused. */
  readonly maxConnections?: number;
  /** Which of several workers this is, in the names of statistics. Default `0`. */
  readonly worker?: string | undefined;
  /** Gets a listening socket from elsewhere; absent: it is bound here. */
  readonly bindSocket?: BindSocket | undefined;
  /** What is given up under pressure. */
  readonly overload?: OverloadState;
  /** Who looks at requests. Default: nobody. */
  readonly observation?: Observation;
}

/** The request path in service: everything between accepted sockets and upstream connections. */
export interface Runtime {
  /** Puts exactly these listeners in force; what cannot be bound is reported and changes nothing. */
  applyListeners(plans: readonly ListenerPlan[]): Promise<readonly ListenerFailure[]>;
  listeners(): readonly ListenerStatus[];
  /** To be given to the cluster manager: pools of endpoints that leave drain. */
  onEndpointRemoved(endpoint: Endpoint): void;
  /** A copy of the listening socket of this key, once listeners are applied; undefined where there is none. */
  shareSocket(key: string): Promise<number | undefined>;
  /** Copies of all listening sockets, for a process that takes over. */
  shareSockets(): Promise<readonly (readonly [key: string, fd: number])[]>;
  /** Takes no more connections. */
  stopAccepting(): Promise<void>;
  /** Leaves connections waiting because of overload, or takes them again. */
  pauseAccepting(isPaused: boolean): void;
  /** The proxy's own requests, by the same pools and limits. */
  readonly callouts: Callouts;
  /** Takes listeners out of service as an operator asked. */
  drainListeners(request: DrainRequest): Promise<void>;
  /** Whether connections end with their answers because the proxy is to fail health checks. */
  failHealthChecks(isFailing: boolean): void;
  /** Asks all clients to leave as they finish; resolves when all have or after `graceMs`. Goes on accepting. */
  drain(graceMs: number): Promise<void>;
  /** Stops listening and ends every connection. */
  close(): Promise<void>;
}

const defaultDrain: DrainPlan = { timeMs: 600_000, strategy: "gradual" };
const defaultMaxConnections = 50_000;

/** Composes the request path: listeners → filter chains → router → pools. */
export function createRuntime(options: RuntimeOptions): Runtime {
  const { clusters, stats, random = Math.random, log } = options;
  const clock = turnClock(options.clock);
  const timers = new Timers(clock);
  const defects = stats.counter("server.envoy_bug_failures");
  const onFault = (error: unknown) => {
    defects.value += 1;
    const stack = error instanceof Error ? error.stack : String(error);
    log?.("error", "a defect on the request path was contained", { stack });
  };
  const pools = { timers, onFault };
  const listeners = new ListenerSet(
    {
      clock,
      timers,
      random,
      clusters,
      onFault,
      observation: options.observation ?? unobserved(),
      forwarder: new Router(clusters, pools),
      stats: createDownstreamStats(stats, options.worker),
      connections: new ConnectionLimit(options.maxConnections ?? defaultMaxConnections),
      overload: options.overload ?? neverOverloaded,
      log: (message, fields) => log?.("debug", message, fields),
      warn: (message, fields) => log?.("warning", message, fields),
    },
    createListenerManagerStats(stats, (options.worker ?? "0") === "0"),
    options.drain ?? defaultDrain,
    options.bindSocket,
  );
  const draining = stats.gauge("listener_manager.total_listeners_draining");
  const connections = stats.gauge("server.total_connections");
  stats.registry.onCollect(() => {
    draining.set(listeners.drainingCount);
    connections.set(listeners.connectionCount);
  });
  return {
    applyListeners: (plans) => listeners.apply(plans),
    listeners: () => listeners.status,
    onEndpointRemoved: drainEndpoint,
    shareSockets: () => listeners.shareSockets(),
    stopAccepting: () => listeners.stopAccepting(),
    shareSocket: (key) => listeners.shareSocket(key),
    pauseAccepting: (isPaused) => listeners.pauseAccepting("overload", isPaused),
    callouts: createCallouts(clusters, pools),
    drainListeners: (request) => listeners.drainListeners(request),
    failHealthChecks: (isFailing) => listeners.failHealthChecks(isFailing),
    drain: (graceMs) => listeners.drain(graceMs),
    async close() {
      await listeners.close();
      timers.close();
    },
  };
}
