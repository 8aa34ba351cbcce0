import type { Socket } from "node:net";
import { descriptorLimit } from "@weft/base/open-descriptors";
import { reasonOf } from "@weft/base/system-error";
import { DrainState, type DrainStrategy } from "../layer/drain-state.ts";
import { fdOf, ListenSocket } from "../net/listen-socket.ts";
import { formatAddress, type SocketAddress } from "../net/socket-address.ts";
import { DescriptorGuard } from "../overload/descriptor-guard.ts";
import { AcceptGate, type PauseReason } from "./accept-gate.ts";
import { ActiveListener, type ListenerContext } from "./active-listener.ts";
import { holdFilters } from "./hold-filters.ts";
import { listenerFor } from "./listener-for.ts";
import type { ListenerManagerStats } from "./listener-manager-stats.ts";
import type { ListenerPlan } from "./listener-plan.ts";

/** A listener that could not be put in force; the version before it, if any, stays. */
export interface ListenerFailure {
  readonly name: string;
  /** Names the address. */
  readonly message: string;
  /** The next step. */
  readonly hint: string;
}

export interface ListenerStatus {
  readonly name: string;
  readonly plan: ListenerPlan;
  /** The addresses bound, ports resolved; empty for listeners that do not bind. */
  readonly addresses: readonly SocketAddress[];
  readonly connectionCount: number;
}

/** Makes the listening socket of a key; rejects with the system's error. */
export type BindSocket = (
  key: string,
  address: SocketAddress,
  onConnection: (socket: Socket) => void,
) => Promise<ListenSocket>;

const bindHere: BindSocket = (_key, address, onConnection) => ListenSocket.bind(address, onConnection);

/** How connections of a listener that goes leave. */
export interface DrainPlan {
  /** How long they may: Envoy's `--drain-time-s`. */
  readonly timeMs: number;
  readonly strategy: DrainStrategy;
}

/** @see Envoy's `/drain_listeners` */
export interface DrainRequest {
  /** Only listeners whose `traffic_direction` is `INBOUND`. */
  readonly isInboundOnly: boolean;
  /** Connections leave over the drain time, and only then does listening stop; otherwise it stops now. */
  readonly isGraceful: boolean;
  /** Connections leave as by `isGraceful`, and listening does not stop. */
  readonly keepsListening: boolean;
}

/** Which listeners take no more connections. */
type Stopped = "none" | "inbound" | "all";

interface BoundSocket {
  readonly socket: ListenSocket;
  owner: ActiveListener;
}

/**
 * The listeners in force. An update binds what is new before it lets go of what
 * is old, and a socket whose address stays is handed from version to version
 * without a moment in which it is closed.
 */
export class ListenerSet {
  readonly #context: Omit<ListenerContext, "drain">;
  readonly #stats: ListenerManagerStats;
  readonly #drainPlan: DrainPlan;
  /** The drain that was asked for: it holds for listeners yet to come as well. */
  #drain: { readonly startMs: number; readonly isInboundOnly: boolean } | undefined;
  #stopped: Stopped = "none";
  #isUnhealthy = false;
  readonly #active = new Map<string, ActiveListener>();
  readonly #sockets = new Map<string, BoundSocket>();
  readonly #retired = new Set<ActiveListener>();
  /** Tells the filters of a listener in force that it is no longer. */
  readonly #releases = new Map<ActiveListener, () => void>();
  readonly #byAddress = new Map<string, ActiveListener>();
  readonly #bindSocket: BindSocket;
  readonly #gate: AcceptGate;
  readonly #descriptors: DescriptorGuard;
  #updates: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  /** `context.findListener` is answered by `find` of the set that is made. */
  constructor(
    context: Omit<ListenerContext, "findListener" | "drain">,
    stats: ListenerManagerStats,
    drainPlan: DrainPlan,
    bindSocket: BindSocket = bindHere,
  ) {
    this.#bindSocket = bindSocket;
    this.#stats = stats;
    this.#context = { ...context, findListener: (address) => this.find(address) };
    this.#drainPlan = drainPlan;
    this.#gate = new AcceptGate(() => Array.from(this.#sockets.values(), ({ socket }) => socket));
    this.#descriptors = new DescriptorGuard({
      clock: context.clock,
      limit: descriptorLimit(),
      connections: () => context.connections.active,
      onShortage: (isShort) => {
        const what = isShort ? "connections wait: descriptors run short" : "connections are taken again";
        context.warn(what, {});
        this.#gate.set("descriptors", isShort);
      },
    });
  }

  /**
   * A copy of the listening socket of this key, once updates so far are in force.
   * Another worker may be ready for it a little earlier; undefined when it does not come.
   */
  async shareSocket(key: string): Promise<number | undefined> {
    for (let tries = 0; tries < 50 && !this.#isClosed; tries++) {
      await this.#updates;
      const bound = this.#sockets.get(key);
      if (bound) return bound.socket.duplicate();
      await this.#context.clock.sleepMs(100);
    }
    return undefined;
  }

  /** Copies of all listening sockets by their keys. Unix sockets are not among them: their file goes with the process that made it. */
  async shareSockets(): Promise<readonly (readonly [key: string, fd: number])[]> {
    await this.#updates;
    return [...this.#sockets].flatMap(([key, { socket }]) => {
      const fd = socket.address.kind === "ip" ? socket.duplicate() : undefined;
      return fd === undefined ? [] : [[key, fd] as const];
    });
  }

  /** Takes no more connections: what waits, and who comes, is another process's, or nobody's. */
  async stopAccepting(): Promise<void> {
    await this.#updates;
    for (const { socket } of this.#sockets.values()) socket.close();
  }

  /** Leaves the connections of all listeners waiting, or takes them again. */
  pauseAccepting(reason: PauseReason, isPaused: boolean): void {
    this.#gate.set(reason, isPaused);
  }

  /** Puts exactly these listeners in force. Updates run one after the other. */
  apply(plans: readonly ListenerPlan[]): Promise<readonly ListenerFailure[]> {
    const update = this.#updates.then(() => this.#apply(plans));
    this.#updates = update.catch(() => undefined);
    return update;
  }

  find(address: SocketAddress): ActiveListener | undefined {
    return listenerFor(address, this.#byAddress);
  }

  get status(): readonly ListenerStatus[] {
    return [...this.#active.values()].map((listener) => ({
      name: listener.plan.name,
      plan: listener.plan,
      addresses: [...this.#sockets.values()].filter((s) => s.owner === listener).map((s) => s.socket.address),
      connectionCount: listener.connectionCount,
    }));
  }

  /** Every answer is the last of its connection until health checks are to pass again. */
  failHealthChecks(isFailing: boolean): void {
    this.#isUnhealthy = isFailing;
    for (const listener of [...this.#active.values(), ...this.#retired]) this.#tellHealth(listener);
  }

  /** Resolves at once; what comes after the drain time comes by itself. */
  async drainListeners({ isInboundOnly, isGraceful, keepsListening }: DrainRequest): Promise<void> {
    await this.#updates;
    const { clock } = this.#context;
    if (!isGraceful && !keepsListening) {
      this.#stop(isInboundOnly);
      return;
    }
    if (this.#drain && (!this.#drain.isInboundOnly || isInboundOnly)) return;
    this.#drain = { startMs: clock.monotonicMs(), isInboundOnly };
    for (const listener of this.#active.values()) this.#beginDrain(listener);
    if (!keepsListening) clock.setTimer(() => this.#stop(isInboundOnly), this.#drainPlan.timeMs);
  }

  /** The process ends: asks all to leave; resolves when no connection is left or the grace period is over. */
  async drain(graceMs: number): Promise<void> {
    await this.#updates;
    for (const listener of this.#active.values()) listener.leave();
    const { clock } = this.#context;
    const deadlineMs = clock.monotonicMs() + graceMs;
    while (this.connectionCount > 0 && clock.monotonicMs() < deadlineMs) await clock.sleepMs(50);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#updates;
    this.#descriptors.close();
    for (const { socket } of this.#sockets.values()) socket.close();
    this.#sockets.clear();
    for (const listener of [...this.#active.values(), ...this.#retired]) listener.close();
    for (const listener of this.#active.values()) this.#release(listener);
    this.#active.clear();
    this.#retired.clear();
    this.#byAddress.clear();
  }

  /** Listeners that are no longer in force, and have connections still. */
  get drainingCount(): number {
    return [...this.#retired].filter(({ connectionCount }) => connectionCount > 0).length;
  }

  /** Over all listeners, those that drain among them. */
  get connectionCount(): number {
    let count = 0;
    for (const listener of [...this.#active.values(), ...this.#retired]) count += listener.connectionCount;
    return count;
  }

  async #apply(plans: readonly ListenerPlan[]): Promise<readonly ListenerFailure[]> {
    const failures: ListenerFailure[] = [];
    if (this.#isClosed) return failures;
    const wanted = new Set(plans.map((plan) => plan.name));
    const kept = new Set<string>();
    for (const plan of plans) {
      const before = this.#active.get(plan.name);
      if (before && before.plan.fingerprint === plan.fingerprint) {
        for (const key of socketKeys(plan)) kept.add(key);
        continue;
      }
      const keys = socketKeys(plan);
      if (this.#isStopped(plan)) {
        // Envoy ignores it too: an operator has taken the proxy out of service.
        if (before) for (const key of socketKeys(before.plan)) kept.add(key);
        continue;
      }
      const listener = this.#create(plan);
      const bound = await this.#bindMissing(plan, listener, keys);
      if (bound) {
        this.#stats.createFailure.value += 1;
        failures.push({ name: plan.name, ...bound });
        if (before) for (const key of socketKeys(before.plan)) kept.add(key);
        wanted.add(plan.name);
        continue;
      }
      for (const key of keys) {
        kept.add(key);
        this.#sockets.get(key)!.owner = listener;
      }
      this.#stats.createSuccess.value += 1;
      this.#stats[before ? "modified" : "added"].value += 1;
      this.#active.set(plan.name, listener);
      this.#releases.set(listener, holdFilters(plan));
      if (before) this.#retire(before, listener);
    }
    for (const [name, listener] of this.#active) {
      if (wanted.has(name)) continue;
      this.#stats.removed.value += 1;
      this.#active.delete(name);
      this.#retire(listener, undefined);
    }
    for (const [key, { socket }] of this.#sockets) {
      if (kept.has(key)) continue;
      this.#sockets.delete(key);
      socket.close();
    }
    this.#index();
    return failures;
  }

  /** Binds the addresses that are not bound yet: all of them or, with the reason, none. */
  async #bindMissing(
    plan: ListenerPlan,
    listener: ActiveListener,
    keys: readonly string[],
  ): Promise<Omit<ListenerFailure, "name"> | undefined> {
    const fresh: [string, BoundSocket][] = [];
    for (const [i, key] of keys.entries()) {
      if (this.#sockets.has(key)) continue;
      const address = plan.addresses[i]!;
      try {
        fresh.push([key, await this.#bind(key, address, listener)]);
      } catch (error) {
        for (const [, { socket }] of fresh) socket.close();
        return refusalOf(address, error);
      }
    }
    for (const [key, socket] of fresh) this.#sockets.set(key, socket);
    return undefined;
  }

  async #bind(key: string, address: SocketAddress, owner: ActiveListener): Promise<BoundSocket> {
    const bound: { socket: ListenSocket | undefined; owner: ActiveListener } = { socket: undefined, owner };
    bound.socket = await this.#bindSocket(key, address, (accepted) => {
      bound.owner.accept(accepted);
      this.#descriptors.saw(fdOf(accepted) ?? 0);
    });
    this.#gate.admit(bound.socket);
    return bound as BoundSocket;
  }

  #retire(listener: ActiveListener, successor: ActiveListener | undefined): void {
    const { clock } = this.#context;
    listener.handOver(successor);
    this.#release(listener);
    if (listener.connectionCount === 0) return;
    const { timeMs } = this.#drainPlan;
    listener.drainState.begin(clock.monotonicMs(), timeMs);
    this.#retired.add(listener);
    clock.setTimer(() => {
      listener.close();
      this.#retired.delete(listener);
    }, timeMs);
  }

  #create(plan: ListenerPlan): ActiveListener {
    const { clock, random } = this.#context;
    const drain = new DrainState(clock, random, this.#drainPlan.strategy);
    const listener = new ActiveListener(plan, this.#context, drain);
    this.#tellHealth(listener);
    this.#beginDrain(listener);
    return listener;
  }

  #tellHealth({ plan, drainState }: ActiveListener): void {
    drainState.setUnhealthy(this.#isUnhealthy && !plan.ignoresFailedHealthChecks);
  }

  #beginDrain({ plan, drainState }: ActiveListener): void {
    if (!this.#drain || (this.#drain.isInboundOnly && plan.trafficDirection !== "inbound")) return;
    drainState.begin(this.#drain.startMs, this.#drainPlan.timeMs);
  }

  /** Takes no more connections, and no more listeners; those that are open go on. */
  #stop(isInboundOnly: boolean): void {
    const before = this.#stopped;
    if (this.#stopped !== "all") this.#stopped = isInboundOnly ? "inbound" : "all";
    for (const { plan } of this.#active.values()) {
      const wasStopped = isStoppedBy(before, plan);
      if (!wasStopped && this.#isStopped(plan)) this.#stats.stopped.value += 1;
    }
    for (const { socket, owner } of this.#sockets.values()) if (this.#isStopped(owner.plan)) socket.close();
  }

  #isStopped(plan: ListenerPlan): boolean {
    return isStoppedBy(this.#stopped, plan);
  }

  #release(listener: ActiveListener): void {
    this.#releases.get(listener)?.();
    this.#releases.delete(listener);
  }

  #index(): void {
    this.#byAddress.clear();
    for (const listener of this.#active.values()) {
      for (const address of listener.plan.addresses) this.#byAddress.set(formatAddress(address), listener);
    }
  }
}

function isStoppedBy(stopped: Stopped, { trafficDirection }: ListenerPlan): boolean {
  return stopped === "all" || (stopped === "inbound" && trafficDirection === "inbound");
}

/** Equal addresses mean the same socket; port 0 is a new one for every listener. */
function socketKeys(plan: ListenerPlan): string[] {
  if (!plan.bindToPort) return [];
  return plan.addresses.map((address, i) =>
    address.kind === "ip" && address.port === 0 ? `${plan.name}#${i}` : formatAddress(address),
  );
}

const bindHints: Readonly<Record<string, string>> = {
  EADDRINUSE: "stop what uses it (`ss -ltnp` shows it) or choose another port",
  EACCES: "use a port from 1024 up or grant CAP_NET_BIND_SERVICE",
  EADDRNOTAVAIL: "check it with `ip address`",
};

function refusalOf(address: SocketAddress, error: unknown): Omit<ListenerFailure, "name"> {
  const { code = "" } = error as NodeJS.ErrnoException;
  return {
    message: `cannot listen on ${formatAddress(address)}: ${reasonOf(error)}`,
    hint: bindHints[code] ?? "choose another address",
  };
}
