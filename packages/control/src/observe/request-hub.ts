import { create, fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import type { Clock, Timer } from "@weft/base/clock";
import {
  type ControlMessage,
  type Events,
  ObservedEventSchema,
  ObservedRequestSchema,
  type Recalled,
  RecallSchema,
  UnwatchSchema,
  WatchSchema,
} from "@weft/xds/gen/weft/observe/v1/observe_pb";
import type { ObservedEvent, ObservedRequest, RecallPlan, WatchPlan } from "@weft/xds/observed-request";
import type { RecallAnswer, RecalledRequest, TapLine } from "../api/observe-protocol.ts";
import { ApiRefusal } from "../api/refusal.ts";

/** An agent's end of its call, as the route sees it. */
export interface AttachedAgent {
  onEvents(events: Events): void;
  onRecalled(answer: Recalled): void;
  detach(): void;
}

/** Whoever watches. False: it does not keep up, and the line is lost to it. */
export type SendLine = (line: TapLine) => boolean;

export interface RequestHubOptions {
  readonly clock: Clock;
  /** The workloads there are. */
  readonly workloadIds: () => readonly string[];
}

type Send = (kind: ControlMessage["kind"], id: number) => void;

interface Agent {
  readonly workload: string;
  readonly send: Send;
}

interface Watching {
  readonly id: number;
  readonly planOf: (workloadId: string) => WatchPlan | undefined;
  readonly send: SendLine;
  readonly agents: Set<Agent>;
  lost: number;
  limited: number;
  told: number;
  timer: Timer | undefined;
}

interface Recalling {
  readonly waiting: Set<Agent>;
  readonly found: RecalledRequest[];
  readonly failed: string[];
  readonly done: () => void;
}

/** People who watch at once. */
const maxWatches = 64;
const recallMs = 3_000;
/** Requests of one answer, of all data planes together. */
const maxRecalled = 10_000;
const reportMs = 1_000;

/**
 * Where agents show their data planes' requests and operators ask to see them.
 * Nothing is asked of an agent unless somebody watches; what it says that was
 * not asked for is ignored.
 */
export class RequestHub {
  readonly #options: RequestHubOptions;
  /** By workload id; one that comes back replaces the one before. */
  readonly #agents = new Map<string, Agent>();
  readonly #watches = new Map<number, Watching>();
  readonly #recalls = new Map<number, Recalling>();
  #lastId = 0;

  constructor(options: RequestHubOptions) {
    this.#options = options;
  }

  attach(workload: string, send: Send): AttachedAgent {
    const agent: Agent = { workload, send };
    this.#agents.set(workload, agent);
    for (const watching of this.#watches.values()) this.#ask(watching, agent);
    return {
      onEvents: (events) => this.#onEvents(agent, events),
      onRecalled: (answer) => this.#onRecalled(agent, answer),
      detach: () => this.#detach(agent),
    };
  }

  /**
   * Shows requests as they happen, of workloads that come later as well.
   *
   * @returns what ends it
   * @throws ApiRefusal when too many watch already
   */
  watch(planOf: Watching["planOf"], send: SendLine): () => void {
    if (this.#watches.size >= maxWatches) {
      throw new ApiRefusal(429, {
        error: `${maxWatches} people watch already`,
        hint: "end another 'weft tap'",
      });
    }
    const watching: Watching = {
      id: this.#nextId(),
      planOf,
      send,
      agents: new Set(),
      lost: 0,
      limited: 0,
      told: 0,
      timer: undefined,
    };
    this.#watches.set(watching.id, watching);
    const unseen = this.#unseen(planOf);
    for (const agent of this.#agents.values()) this.#ask(watching, agent);
    send({ watching: watching.agents.size, unseen });
    this.#report(watching);
    return () => {
      watching.timer?.cancel();
      this.#watches.delete(watching.id);
      for (const agent of watching.agents) {
        agent.send({ case: "unwatch", value: create(UnwatchSchema) }, watching.id);
      }
    };
  }

  /** The requests that data planes remember, the oldest first. */
  async recall(planOf: (workloadId: string) => RecallPlan | undefined): Promise<RecallAnswer> {
    const asked = [...this.#agents.values()].flatMap((agent) => {
      const plan = planOf(agent.workload);
      return plan ? [{ agent, plan }] : [];
    });
    const unseen = this.#unseen(planOf);
    const { promise, resolve } = Promise.withResolvers<void>();
    const id = this.#nextId();
    const recalling: Recalling = {
      waiting: new Set(asked.map(({ agent }) => agent)),
      found: [],
      failed: [],
      done: resolve,
    };
    this.#recalls.set(id, recalling);
    const timer = this.#options.clock.setTimer(resolve, recallMs);
    const most = Math.max(5, Math.floor(maxRecalled / Math.max(1, asked.length)));
    for (const { agent, plan } of asked) {
      const limit = Math.min(plan.limit ?? most, most);
      agent.send(
        { case: "recall", value: fromJson(RecallSchema, { ...plan, limit } as unknown as JsonValue) },
        id,
      );
    }
    if (asked.length === 0) resolve();
    await promise;
    timer.cancel();
    this.#recalls.delete(id);
    const late = [...recalling.waiting].map(({ workload }) => workload);
    return {
      requests: recalling.found.sort((a, b) => a.request.startedMs - b.request.startedMs),
      asked: asked.length,
      unseen: [...unseen, ...recalling.failed, ...late].sort(),
    };
  }

  /** Workloads that are meant and whose data planes nobody shows. */
  #unseen(planOf: (workloadId: string) => unknown): string[] {
    return this.#options
      .workloadIds()
      .filter((id) => !this.#agents.has(id) && planOf(id) !== undefined)
      .slice(0, 100);
  }

  #ask(watching: Watching, agent: Agent): void {
    const plan = watching.planOf(agent.workload);
    if (!plan) return;
    watching.agents.add(agent);
    agent.send({ case: "watch", value: fromJson(WatchSchema, plan as JsonValue) }, watching.id);
  }

  #onEvents(agent: Agent, { watch, events, lost, limited }: Events): void {
    const watching = this.#watches.get(watch);
    if (!watching?.agents.has(agent)) return;
    watching.lost += lost;
    watching.limited += limited;
    for (const one of events) {
      const event = toJson(ObservedEventSchema, one, {
        alwaysEmitImplicit: true,
      }) as unknown as ObservedEvent;
      if (!event.request) continue;
      if (!watching.send({ workload: agent.workload, event })) watching.lost += 1;
    }
  }

  #onRecalled(agent: Agent, { recall, requests, problem }: Recalled): void {
    const recalling = this.#recalls.get(recall);
    if (!recalling?.waiting.delete(agent)) return;
    if (problem !== "") recalling.failed.push(agent.workload);
    for (const one of requests) {
      const request = toJson(ObservedRequestSchema, one, {
        alwaysEmitImplicit: true,
      }) as unknown as ObservedRequest;
      recalling.found.push({ workload: agent.workload, request });
    }
    if (recalling.waiting.size === 0) recalling.done();
  }

  #detach(agent: Agent): void {
    if (this.#agents.get(agent.workload) === agent) this.#agents.delete(agent.workload);
    for (const { agents } of this.#watches.values()) agents.delete(agent);
    for (const { waiting, failed, done } of this.#recalls.values()) {
      if (!waiting.delete(agent)) continue;
      failed.push(agent.workload);
      if (waiting.size === 0) done();
    }
  }

  /** Tells the losses when there are more than before. */
  #report(watching: Watching): void {
    const { lost, limited } = watching;
    if (lost + limited > watching.told && watching.send({ lost, limited })) watching.told = lost + limited;
    watching.timer = this.#options.clock.setTimer(() => this.#report(watching), reportMs);
  }

  #nextId(): number {
    this.#lastId = (this.#lastId % 0xffff_ffff) + 1;
    return this.#lastId;
  }
}
