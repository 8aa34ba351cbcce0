import { Backoff } from "@weft/base/backoff";
import type { Clock, Timer } from "@weft/base/clock";
import { messageOf } from "@weft/base/errors";
import type { CheckedDecision } from "./module-decision.ts";
import type { CallMessage, ModuleAnswer } from "./module-messages.ts";
import type { ModulePlan } from "./module-plan.ts";
import type { ModuleThread } from "./module-thread.ts";

/** Why a module has not decided. */
export type ModuleFailure = "timeout" | "error" | "overflow" | "unavailable";

/** What came of a call. */
export type CallResult =
  | { readonly kind: "decision"; readonly decision: CheckedDecision }
  | { readonly kind: "failure"; readonly failure: ModuleFailure };

export interface ModuleRunnerDependencies {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** For operators. */
  warn(message: string): void;
}

interface PendingCall {
  readonly message: CallMessage;
  /** From when it is with the module; without limit while that is loading, which has a limit of its own. */
  deadlineMs: number;
  onResult: (result: CallResult) => void;
}

/** Where the thread is. While its program is read, it is loading without a thread. */
type State =
  | { readonly t: "stopped" }
  | { readonly t: "loading"; thread: ModuleThread | undefined; readonly timer: Timer }
  | { readonly t: "ready"; readonly thread: ModuleThread; readonly sinceMs: number }
  | { readonly t: "resting"; readonly timer: Timer };

const loadLimitMs = 10_000;
/** A thread nobody holds ends when it has had nothing to do for so long. */
const lingerMs = 10_000;
/** One that ran so long has not failed because of how it began. */
const soundAfterMs = 60_000;
/** Between two warnings of what a module throws. */
const quietMs = 1_000;
const stopped: State = { t: "stopped" };
const ignore = () => {};

/**
 * Runs a module in a thread, and gets every call a result within the plan's
 * time, once the module is loaded, whatever it does.
 *
 * A module that lets a call wait longer, grows beyond its memory or ends has its
 * thread stopped; calls it had fail, and it is loaded again after a while that
 * grows from one time to the next. The thread runs while listeners hold it, and
 * for what is under way after that.
 */
export class ModuleRunner {
  readonly #plan: ModulePlan;
  readonly #deps: ModuleRunnerDependencies;
  readonly #backoff: Backoff;
  /** In order of their deadlines: all have the same time. */
  readonly #calls = new Map<number, PendingCall>();
  #state: State = stopped;
  #nextId = 0;
  /** Of each holder, what to call when the thread is lost. */
  readonly #holders = new Set<{ onLost(): void }>();
  #deadline: Timer | undefined = undefined;
  #linger: Timer | undefined = undefined;
  #quietUntilMs = 0;

  constructor(plan: ModulePlan, deps: ModuleRunnerDependencies) {
    this.#plan = plan;
    this.#deps = deps;
    this.#backoff = new Backoff({ baseMs: 200, maxMs: 30_000, random: deps.random });
  }

  get isHeld(): boolean {
    return this.#holders.size > 0;
  }

  /** Keeps the thread running until the function given back is called. `onLost`: it had to be stopped. */
  hold(onLost: () => void): () => void {
    const holder = { onLost };
    this.#holders.add(holder);
    this.#linger?.cancel();
    this.#linger = undefined;
    if (this.#state.t === "stopped") this.#start();
    return () => {
      this.#holders.delete(holder);
      this.#lingerIfIdle();
    };
  }

  /**
   * Asks the module. `onResult` is called once, possibly before this returns;
   * the function given back makes it not be called any more.
   */
  call(message: CallMessage, onResult: (result: CallResult) => void): () => void {
    const failure = this.#refusal();
    if (failure) {
      onResult({ kind: "failure", failure });
      return ignore;
    }
    const id = this.#nextId++;
    const call: PendingCall = { message, deadlineMs: Number.POSITIVE_INFINITY, onResult };
    this.#calls.set(id, call);
    if (this.#state.t === "stopped") this.#start();
    else if (this.#state.t === "ready") this.#post(this.#state.thread, id, call);
    return () => {
      // It stays counted: the module is still busy with it.
      call.onResult = ignore;
    };
  }

  #refusal(): ModuleFailure | undefined {
    if (this.#state.t === "resting") return "unavailable";
    return this.#calls.size >= this.#plan.maxPendingCalls ? "overflow" : undefined;
  }

  #start(): void {
    const timer = this.#deps.clock.setTimer(() => this.#lose("it has not loaded in 10 s"), loadLimitMs);
    const state: State = { t: "loading", thread: undefined, timer };
    this.#state = state;
    // Only here, so that proxies without such a filter do not load it.
    import("./module-thread.ts")
      .then(({ startModuleThread }) => {
        if (this.#state !== state) return;
        state.thread = startModuleThread(this.#plan, {
          onAnswer: (answer) => this.#onAnswer(answer),
          onGone: (reason) => this.#lose(reason),
        });
      })
      .catch((error: unknown) => {
        if (this.#state === state) this.#lose(messageOf(error));
      });
  }

  #post(thread: ModuleThread, id: number, call: PendingCall): void {
    call.deadlineMs = this.#deps.clock.monotonicMs() + this.#plan.timeoutMs;
    thread.post({ id, message: call.message });
    this.#watchOldest();
  }

  #onAnswer(answer: ModuleAnswer): void {
    switch (answer.t) {
      case "ready":
        this.#onReady();
        return;
      case "unusable":
        this.#lose(answer.reason);
        return;
      case "overgrown":
        this.#lose(`it holds ${answer.bytes} bytes outside its heap`);
        return;
      case "decision":
        this.#settle(answer.id, { kind: "decision", decision: answer.decision });
        return;
      case "thrown":
        this.#complain(answer.reason);
        this.#settle(answer.id, { kind: "failure", failure: "error" });
    }
  }

  /** Tells operators what a module does wrong, not more often than they can read. */
  #complain(problem: string): void {
    const nowMs = this.#deps.clock.monotonicMs();
    if (nowMs < this.#quietUntilMs) return;
    this.#quietUntilMs = nowMs + quietMs;
    this.#deps.warn(`filter module ${this.#plan.file}: ${problem}`);
  }

  #onReady(): void {
    const state = this.#state;
    if (state.t !== "loading" || !state.thread) return;
    state.timer.cancel();
    const { thread } = state;
    this.#state = { t: "ready", thread, sinceMs: this.#deps.clock.monotonicMs() };
    for (const [id, call] of this.#calls) this.#post(thread, id, call);
    this.#lingerIfIdle();
  }

  #settle(id: number, result: CallResult): void {
    const call = this.#calls.get(id);
    if (!call) return;
    this.#calls.delete(id);
    if (this.#calls.size === 0) {
      this.#deadline?.cancel();
      this.#deadline = undefined;
      this.#lingerIfIdle();
    }
    call.onResult(result);
  }

  /** One timer for all: a call is never due before one that came earlier. */
  #watchOldest(): void {
    if (this.#deadline) return;
    for (const { deadlineMs } of this.#calls.values()) {
      const leftMs = deadlineMs - this.#deps.clock.monotonicMs();
      this.#deadline = this.#deps.clock.setTimer(() => this.#onDeadline(), leftMs);
      return;
    }
  }

  #onDeadline(): void {
    this.#deadline = undefined;
    const nowMs = this.#deps.clock.monotonicMs();
    const expired: PendingCall[] = [];
    for (const [id, call] of this.#calls) {
      if (call.deadlineMs > nowMs) break;
      this.#calls.delete(id);
      expired.push(call);
    }
    if (expired.length === 0) this.#watchOldest();
    else this.#lose(`it has not decided in ${this.#plan.timeoutMs} ms`);
    for (const call of expired) call.onResult({ kind: "failure", failure: "timeout" });
  }

  /** Gives the thread up, with everything that waits for it. */
  #lose(reason: string): void {
    const state = this.#state;
    if (state.t !== "loading" && state.t !== "ready") return;
    if (state.t === "loading") state.timer.cancel();
    state.thread?.stop();
    const { clock } = this.#deps;
    if (state.t === "ready" && clock.monotonicMs() - state.sinceMs >= soundAfterMs) this.#backoff.reset();
    const delayMs = this.#backoff.nextMs();
    this.#state = { t: "resting", timer: clock.setTimer(() => this.#onRested(), delayMs) };
    this.#deps.warn(`filter module ${this.#plan.file}: ${reason}; it is loaded again in ${delayMs} ms`);
    for (const holder of this.#holders) holder.onLost();
    this.#deadline?.cancel();
    this.#deadline = undefined;
    const lost = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of lost) call.onResult({ kind: "failure", failure: "unavailable" });
    this.#lingerIfIdle();
  }

  #onRested(): void {
    this.#state = stopped;
    if (this.isHeld) this.#start();
  }

  #lingerIfIdle(): void {
    if (this.isHeld || this.#calls.size > 0 || this.#linger) return;
    this.#linger = this.#deps.clock.setTimer(() => {
      this.#linger = undefined;
      if (!this.isHeld && this.#calls.size === 0) this.#stop();
    }, lingerMs);
  }

  #stop(): void {
    const state = this.#state;
    if (state.t === "loading" || state.t === "resting") state.timer.cancel();
    if (state.t === "loading" || state.t === "ready") state.thread?.stop();
    this.#state = stopped;
  }
}
