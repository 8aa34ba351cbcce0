import type { Timer } from "@weft/base/clock";
import { messageOf } from "@weft/base/errors";
import { type Caller, describeCaller } from "../api/caller.ts";
import { ApiRefusal } from "../api/refusal.ts";
import type { RolloutCommand, RolloutStatus, StartRollout } from "../api/rollout-protocol.ts";
import { resourceKey } from "../config/resource.ts";
import type { WorkloadRegistry } from "../registry/workload-registry.ts";
import { CallMeter } from "../rollout/call-meter.ts";
import { checkRequest } from "../rollout/check-request.ts";
import type { Measurement } from "../rollout/judge.ts";
import { nextRollout } from "../rollout/next-rollout.ts";
import { type Answers, questionsOf } from "../rollout/questions.ts";
import { isOver, type Rollout, serviceKey } from "../rollout/rollout.ts";
import { callsText, rolloutStatus } from "../rollout/rollout-status.ts";
import { textsOf } from "../rollout/texts-of.ts";
import type { Happening, Texts } from "../rollout/transitions.ts";
import { membersOf } from "../rollout/version-members.ts";
import type { RolloutStore } from "../store/rollout-store.ts";
import type { MetricHistory } from "../telemetry/metric-history.ts";
import { Announcer } from "./announcer.ts";
import { beginRollout } from "./begin-rollout.ts";
import { nameOf } from "./config-changes.ts";
import type { EventLog } from "./event-log.ts";
import type { MeshPipeline } from "./mesh-pipeline.ts";
import type { Outward } from "./outward.ts";
import { QuestionDesk } from "./question-desk.ts";
import { RouteWriter, type RouteWriterOptions } from "./route-writer.ts";

export interface RolloutsOptions extends RouteWriterOptions {
  readonly store: RolloutStore;
  readonly pipeline: MeshPipeline;
  readonly registry: WorkloadRegistry;
  readonly history: MetricHistory;
  readonly events: EventLog;
  readonly outward: Outward;
  readonly onError: (error: unknown) => void;
}

/** Under way at once: each costs a look at all metrics every second. */
const maxRunning = 100;
const tickMs = 1_000;
/** After a restart agents come back, or their registrations end, within this time. */
const returnMs = 25_000;

/** A rollout under way, with what of it no store holds. */
interface Running {
  rollout: Rollout;
  meter: { readonly calls: CallMeter; readonly startMs: number } | undefined;
  measurement: Measurement | undefined;
  absentSinceMs: number | undefined;
  readonly desk: QuestionDesk;
  /** The text that is being written, until its outcome is known or something else is wanted. */
  writing: { readonly text: string; readonly given: AbortController } | undefined;
}

/**
 * Carries rollouts out: writes what the state machine wants to be written,
 * through the same change as any apply, waits for the proxies, and tells it what
 * the mesh's metrics say. Every state is stored before it takes effect, so that
 * a killed control plane goes on where it was. One rollout per service, and per
 * route.
 */
export class Rollouts {
  readonly #parts: RolloutsOptions;
  readonly #running = new Map<string, Running>();
  readonly #last = new Map<string, Rollout>();
  readonly #closing = new AbortController();
  readonly #texts: Texts;
  readonly #writer: RouteWriter;
  readonly #announcer: Announcer;
  #nextId: number;
  #timer: Timer | undefined;
  #restartedAtMs: number | undefined;

  constructor(options: RolloutsOptions) {
    this.#parts = options;
    this.#texts = textsOf(options.pipeline.current.mesh.options);
    this.#writer = new RouteWriter(options);
    this.#announcer = new Announcer(options);
    this.#nextId = options.store.nextId();
    for (const { service, isOver: isDone, body } of options.store.list()) {
      const rollout = JSON.parse(body) as Rollout;
      if (isDone) this.#last.set(service, rollout);
      else this.#running.set(service, this.#runningOf(rollout));
    }
  }

  /** Goes on with what was under way, once the mesh is back. */
  resume(): void {
    if (this.#running.size === 0) return;
    this.#restartedAtMs = this.#parts.clock.monotonicMs();
    for (const running of this.#running.values()) this.#happen(running, { t: "restarted" });
    this.#schedule();
  }

  close(): void {
    this.#closing.abort();
    this.#announcer.close();
    for (const { desk } of this.#running.values()) desk.close();
    this.#timer?.cancel();
  }

  /** @throws ApiRefusal where it cannot be begun, with what to do */
  start(request: StartRollout, caller: Pick<Caller, "name" | "proof">): RolloutStatus {
    checkRequest(request, this.#parts.outward);
    const startedBy = describeCaller(caller);
    const key = serviceKey(request);
    this.#refuseSecond(key);
    const rollout = beginRollout(request, { startedBy, id: this.#nextId }, this.#texts, this.#parts);
    const { route } = rollout.plan;
    const other = [...this.#running.values()].find(
      (running) => resourceKey(running.rollout.plan.route) === resourceKey(route),
    );
    if (other) {
      throw new ApiRefusal(409, {
        error: `${nameOf(route)} is being changed by the rollout of ${other.rollout.plan.service}`,
        hint: `wait for it, or give ${request.service} a route of its own`,
      });
    }
    this.#nextId += 1;
    const running = this.#runningOf(rollout);
    this.#running.set(key, running);
    this.#store(rollout, 0);
    this.#drive(running);
    this.#schedule();
    return this.status(request, 0);
  }

  /** @throws ApiRefusal where it is of no use now */
  command(of: { namespace: string; service: string }, command: RolloutCommand): RolloutStatus {
    const key = serviceKey(of);
    const running = this.#running.get(key) ?? this.#reopened(key, command);
    const before = running.rollout;
    this.#happen(running, { t: "command", command });
    if (running.rollout === before) {
      throw new ApiRefusal(409, {
        error: `${command}: ${stateText(before)}`,
        hint: `'weft rollout status ${of.service}' shows where it is`,
      });
    }
    this.#schedule();
    return this.status(of, before.eventNumber);
  }

  /** Of the rollout under way, or the last one; with the events after a number. */
  status(of: { namespace: string; service: string }, after: number): RolloutStatus {
    const key = serviceKey(of);
    const running = this.#running.get(key);
    const rollout = running?.rollout ?? this.#last.get(key);
    if (!rollout) throw noRollout(key);
    return rolloutStatus(rollout, running?.measurement, after);
  }

  /** As it is stored: the one under way, or the last one. */
  find(of: { namespace: string; service: string }): Rollout | undefined {
    const key = serviceKey(of);
    return this.#running.get(key)?.rollout ?? this.#last.get(key);
  }

  running(): readonly Rollout[] {
    return [...this.#running.values()].map(({ rollout }) => rollout);
  }

  /** Of all services that have had one, without events. */
  list(): readonly RolloutStatus[] {
    const all = new Map<string, RolloutStatus>();
    for (const [key, rollout] of this.#last)
      all.set(key, rolloutStatus(rollout, undefined, rollout.eventNumber));
    for (const [key, { rollout, measurement }] of this.#running) {
      all.set(key, rolloutStatus(rollout, measurement, rollout.eventNumber));
    }
    return [...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, status]) => status);
  }

  #refuseSecond(key: string): void {
    const running = this.#running.get(key);
    if (running) {
      throw new ApiRefusal(409, {
        error: `a rollout of ${key} to ${running.rollout.plan.canary.version} is under way`,
        hint: "'weft rollout status' shows it; 'weft rollout abort' ends it",
      });
    }
    if (this.#running.size < maxRunning) return;
    throw new ApiRefusal(429, { error: `${maxRunning} rollouts are under way already` });
  }

  /** One that was promoted, to be undone. */
  #reopened(key: string, command: RolloutCommand): Running {
    const rollout = this.#last.get(key);
    if (!rollout) throw noRollout(key);
    if (command !== "undo" || rollout.activity.t !== "over" || rollout.activity.outcome !== "promoted") {
      throw new ApiRefusal(409, { error: `${command}: ${stateText(rollout)}` });
    }
    const displaced = this.#writer.displaced(rollout);
    if (displaced !== undefined) {
      throw new ApiRefusal(409, {
        error: `${displaced} since it was promoted`,
        hint: "'weft rollback' says what going back would do",
      });
    }
    const running = this.#runningOf(rollout);
    this.#running.set(key, running);
    return running;
  }

  #happen(running: Running, happening: Happening): void {
    const { clock } = this.#parts;
    const before = running.rollout;
    const after = nextRollout(before, happening, clock.now(), this.#texts);
    if (after === before) return;
    running.rollout = after;
    if (after.activity !== before.activity || happening.t === "restarted") running.meter = undefined;
    this.#store(after, before.eventNumber);
    this.#drive(running);
  }

  /** Stores a state, and tells what is new in it. */
  #store(rollout: Rollout, saidBefore: number): void {
    const { store, events } = this.#parts;
    const service = serviceKey(rollout.plan);
    store.put({ id: rollout.id, service, isOver: isOver(rollout), body: JSON.stringify(rollout) });
    for (const event of rollout.events) {
      const { number, message, canary, stable } = event;
      if (number <= saidBefore) continue;
      this.#announcer.tell(rollout, event);
      const { plan } = rollout;
      const numbers =
        canary && stable
          ? ` (${plan.canary.version}: ${callsText(canary)}; ${plan.stable.version}: ${callsText(stable)})`
          : "";
      events.add("rollout", `${service}: ${message}${numbers}`);
    }
  }

  #drive(running: Running): void {
    const { rollout } = running;
    const { activity } = rollout;
    if (activity.t === "over") {
      const key = serviceKey(rollout.plan);
      this.#running.delete(key);
      this.#last.set(key, rollout);
      running.desk.close();
      return;
    }
    if (this.#isReturning()) return;
    const { writing } = running;
    if (writing && !(activity.t === "write" && activity.text === writing.text)) writing.given.abort();
    else if (!writing && activity.t === "write") void this.#write(running, activity.text);
  }

  async #write(running: Running, text: string): Promise<void> {
    const given = new AbortController();
    running.writing = { text, given };
    try {
      const signal = AbortSignal.any([given.signal, this.#closing.signal]);
      const outcome = await this.#writer.write(running.rollout, text, signal, (written) =>
        this.#happen(running, written),
      );
      if (outcome) this.#happen(running, outcome);
    } catch (error) {
      this.#parts.onError(error);
      this.#happen(running, { t: "refused", text, why: messageOf(error) });
    } finally {
      running.writing = undefined;
    }
    if (!this.#closing.signal.aborted && !isOver(running.rollout)) this.#drive(running);
  }

  /** True while agents are still coming back after a restart: nothing that is measured would mean anything. */
  #isReturning(): boolean {
    if (this.#restartedAtMs === undefined) return false;
    const { clock, registry } = this.#parts;
    const isLate = clock.monotonicMs() - this.#restartedAtMs >= returnMs;
    if (!isLate && ![...registry.workloads.keys()].every((id) => registry.isConnected(id))) return true;
    this.#restartedAtMs = undefined;
    return false;
  }

  #schedule(): void {
    if (this.#timer || this.#running.size === 0 || this.#closing.signal.aborted) return;
    this.#timer = this.#parts.clock.setTimer(() => {
      this.#timer = undefined;
      for (const running of [...this.#running.values()]) {
        try {
          this.#look(running);
        } catch (error) {
          this.#parts.onError(error);
        }
      }
      this.#schedule();
    }, tickMs);
  }

  #runningOf(rollout: Rollout): Running {
    const { clock, outward } = this.#parts;
    const desk = new QuestionDesk({ clock, answer: outward.answer.bind(outward) });
    const nothing = {
      meter: undefined,
      measurement: undefined,
      absentSinceMs: undefined,
      writing: undefined,
    };
    return { rollout, desk, ...nothing };
  }

  #look(running: Running): void {
    const { activity } = running.rollout;
    // What it ends with stands; whoever changes the route now changes a route without a rollout.
    const isEnding = activity.t === "await" && activity.what === "end";
    const displaced = isEnding ? undefined : this.#writer.displaced(running.rollout);
    if (displaced !== undefined) this.#happen(running, { t: "displaced", why: displaced });
    else if (this.#isReturning() || activity.t === "write") this.#drive(running);
    else if (activity.t === "measure") this.#measure(running);
    else this.#happen(running, { t: "answered", answers: this.#answers(running) });
  }

  /** What webhooks and Prometheus have said by now; asks them what is still to be known. */
  #answers(running: Running): Answers {
    const { rollout, measurement, desk } = running;
    const { answers } = desk;
    desk.ask(rollout, questionsOf(rollout, measurement, answers, this.#parts.clock.now()));
    return answers;
  }

  #measure(running: Running): void {
    const { history, clock } = this.#parts;
    const nowMs = clock.monotonicMs();
    if (!running.meter) {
      running.meter = { calls: new CallMeter(history.latest()), startMs: nowMs };
      running.absentSinceMs = undefined;
    }
    const { calls, startMs } = running.meter;
    const { pipeline, registry } = this.#parts;
    const members = membersOf(
      running.rollout.plan,
      pipeline.current.mesh,
      registry.workloads,
      pipeline.served,
    );
    calls.take(history.latest(), members);
    running.absentSinceMs = members.canary.healthy > 0 ? undefined : (running.absentSinceMs ?? nowMs);
    running.measurement = {
      elapsedMs: nowMs - startMs,
      canary: calls.canary,
      stable: calls.stable,
      absentMs: running.absentSinceMs === undefined ? 0 : nowMs - running.absentSinceMs,
    };
    const { measurement } = running;
    this.#happen(running, { t: "measured", measurement, answers: this.#answers(running) });
  }
}

function noRollout(key: string): ApiRefusal {
  return new ApiRefusal(404, {
    error: `there has been no rollout of ${key}`,
    hint: "'weft rollout SERVICE --to VERSION' begins one",
  });
}

function stateText({ plan, activity, isPaused }: Rollout): string {
  const what = `the rollout of ${plan.service} to ${plan.canary.version}`;
  if (activity.t === "over") return `${what} is over: ${activity.outcome}`;
  if (activity.t === "write" && activity.goal !== "stage") return `${what} is about to ${activity.goal}`;
  return `${what} is ${isPaused ? "paused" : "under way"}`;
}
