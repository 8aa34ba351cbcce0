import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { ObservedRequest, RecallPlan, WatchPlan } from "@weft/xds/observed-request";
import type { AcceptedUpdate } from "../config/xds-session.ts";
import type { WantedKind } from "../data-plane.ts";
import type { DrainRequest } from "../listener/listener-set.ts";
import type { OtherWorkers } from "../observe/requests-of-workers.ts";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";
import { addStats, copyStats } from "../telemetry/stats-copy.ts";
import type { FromWorker, ToWorker, WorkerStart } from "./messages.ts";

export interface WorkerPoolOptions extends Omit<WorkerStart, "kind" | "worker"> {
  /** The program each worker runs: that of the first, which knows by what it is given that it is another. */
  readonly entry: string;
  readonly args: readonly string[];
  /** A worker has ended that should not have: the process cannot go on as it was asked to. */
  onLost(reason: string): void;
}

/** What the first worker does for the others. */
export interface FirstWorker {
  /** Gives a copy of a listening socket. */
  share(key: string): Promise<number | undefined>;
  /** Subscribes to a cluster, or a virtual host, that a request needs. */
  onWanted(kind: WantedKind, source: string, name: string): void;
}

type OnEvent = Parameters<OtherWorkers["watch"]>[1];

interface Member {
  readonly worker: Worker;
  /** Who waits for an answer, by its kind, the oldest first. */
  readonly waiting: Map<FromWorker["t"], ((message: FromWorker) => void)[]>;
}

/**
 * The workers beside the first: threads with an event loop, a heap and a data
 * plane of their own, which take connections from the same listening sockets.
 *
 * The first worker alone talks to management servers and to operators; it hands
 * on what it receives, and adds up what all have counted.
 */
export class WorkerPool implements OtherWorkers {
  readonly #options: WorkerPoolOptions;
  readonly #members: Member[] = [];
  readonly #watches = new Map<number, { readonly plan: WatchPlan; readonly onEvent: OnEvent }>();
  #lastWatch = 0;
  #isClosing = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#options.concurrency - 1;
  }

  /** Resolves when all serve what the bootstrap defines. */
  async start(first: FirstWorker): Promise<void> {
    for (let i = 1; i <= this.count; i++) this.#members.push(this.#startOne(i, first));
    await Promise.all(this.#members.map((member) => this.#next(member, "started")));
  }

  /** Hands on what a management server or a file said. */
  relay({ source, type, updated, removed }: AcceptedUpdate): void {
    // Copies: a view would be sent with the whole response it is part of.
    const own = updated.map(({ body, ...rest }) => ({ ...rest, body: new Uint8Array(body) }));
    this.#tell({ t: "update", update: { source, type, updated: own, removed } });
  }

  reopenLogs(): void {
    this.#tell({ t: "reopen-logs" });
  }

  resetCounters(): void {
    this.#tell({ t: "reset-counters" });
  }

  setLogLevel(level: string): void {
    this.#tell({ t: "log-level", level });
  }

  stopAccepting(): void {
    this.#tell({ t: "stop-accepting" });
  }

  failHealthChecks(isFailed: boolean): void {
    this.#tell({ t: "fail-health-checks", isFailed });
  }

  drainListeners(request: DrainRequest): void {
    this.#tell({ t: "drain-listeners", request });
  }

  async drain(graceMs: number): Promise<void> {
    this.#tell({ t: "drain", graceMs });
    await Promise.all(this.#members.map((member) => this.#next(member, "drained")));
  }

  /** The first worker's statistics and those of all others, added up. */
  async addTo(first: EnvoyStats): Promise<EnvoyStats> {
    this.#tell({ t: "stats" });
    const others = await Promise.all(
      this.#members.map(async (member) => (await this.#next(member, "stats")).stats),
    );
    return addStats([copyStats(first), ...others]);
  }

  /** @see OtherWorkers */
  watch(plan: WatchPlan, onEvent: OnEvent): { stop(): void } {
    this.#lastWatch += 1;
    const watch = this.#lastWatch;
    this.#watches.set(watch, { plan, onEvent });
    this.#tell({ t: "watch", watch, plan });
    return {
      stop: () => {
        this.#watches.delete(watch);
        this.#tell({ t: "unwatch", watch });
      },
    };
  }

  /** What each of them remembers, in their order. */
  recall(plan: RecallPlan): Promise<readonly (readonly ObservedRequest[])[]> {
    this.#tell({ t: "recall", plan });
    return Promise.all(this.#members.map(async (member) => (await this.#next(member, "recalled")).requests));
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    const over = this.#members.map(({ worker }) => once(worker, "exit"));
    this.#tell({ t: "close" });
    await Promise.all(over);
  }

  #startOne(index: number, { share, onWanted }: FirstWorker): Member {
    const { entry, args, onLost: _, ...same } = this.#options;
    const start: WorkerStart = { kind: "weft-worker", worker: index, ...same };
    const worker = new Worker(entry, { argv: [...args], workerData: start });
    const member: Member = { worker, waiting: new Map() };
    worker.on("message", (message: FromWorker) => {
      if (message.t === "need-socket") {
        const { key } = message;
        void share(key).then((fd) => worker.postMessage({ t: "socket", key, fd } satisfies ToWorker));
        return;
      }
      if (message.t === "want") {
        onWanted(message.kind, message.source, message.name);
        return;
      }
      if (message.t === "observed") {
        const { watch, event, limited } = message;
        this.#watches.get(watch)?.onEvent(index, event, limited);
        return;
      }
      member.waiting.get(message.t)?.shift()?.(message);
    });
    for (const [watch, { plan }] of this.#watches) {
      worker.postMessage({ t: "watch", watch, plan } satisfies ToWorker);
    }
    worker.on("error", (error) => this.#onLost(error instanceof Error ? (error.stack ?? error.message) : ""));
    worker.on("exit", (code) => this.#onLost(`it exited with code ${code}`));
    return member;
  }

  #onLost(reason: string): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#options.onLost(`a worker was lost: ${reason}`);
  }

  #tell(message: ToWorker): void {
    for (const { worker } of this.#members) worker.postMessage(message);
  }

  #next<T extends FromWorker["t"]>(
    { waiting }: Member,
    kind: T,
  ): Promise<Extract<FromWorker, { readonly t: T }>> {
    return new Promise((resolve) => {
      const queue = waiting.get(kind) ?? [];
      queue.push(resolve as (message: FromWorker) => void);
      waiting.set(kind, queue);
    });
  }
}
