import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { Backoff } from "@weft/base/backoff";
import type { Clock } from "@weft/base/clock";
import { messageOf } from "@weft/base/errors";
import type { Launch } from "../launch.ts";
import { askAdmin } from "./admin-client.ts";
import type { Endpoint } from "./bootstrap.ts";

export interface SidecarOptions {
  /** Asked at each start. */
  readonly launch: () => Launch;
  readonly admin: Endpoint;
  readonly stdio: StdioOptions;
  readonly env: () => NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly talk: (line: string) => void;
  /** Only for tests: exact delays. */
  readonly random?: () => number;
}

type State =
  | { readonly t: "running"; readonly child: ChildProcess; readonly sinceMs: number }
  | { readonly t: "waiting"; readonly cancel: () => void }
  | { readonly t: "stopped" };

/** A run this long was a success: the next restart begins with the shortest delay again. */
const stableMs = 10_000;
const readyPollMs = 50;

/**
 * Keeps one sidecar process running until `stop`: one that dies, however, is
 * started again, at once the first time and with growing delays when it keeps dying.
 *
 * The sidecar has a process group of its own, so that Ctrl-C in a terminal
 * reaches the agent, which drains first, and not the sidecar.
 */
export class Sidecar {
  readonly #options: SidecarOptions;
  readonly #backoff: Backoff;
  #state: State = { t: "stopped" };
  #restarts = 0;
  #startedMs = 0;

  constructor(options: SidecarOptions) {
    this.#options = options;
    this.#backoff = new Backoff({ baseMs: 100, maxMs: 5_000, random: options.random });
  }

  get pid(): number | undefined {
    return this.#state.t === "running" ? this.#state.child.pid : undefined;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** Wall-clock time of the last start: when its counters began at 0. */
  get startedMs(): number {
    return this.#startedMs;
  }

  start(): void {
    const { stdio, clock, talk } = this.#options;
    const { file, args, options } = this.#options.launch();
    const child = spawn(file, args, { ...options, stdio, env: this.#options.env(), detached: true });
    const sinceMs = clock.monotonicMs();
    this.#startedMs = clock.now();
    this.#state = { t: "running", child, sinceMs };
    let isOver = false;
    const onEnd = (how: string) => {
      if (isOver) return;
      isOver = true;
      if (this.#state.t !== "running" || this.#state.child !== child) return;
      if (clock.monotonicMs() - sinceMs >= stableMs) this.#backoff.reset();
      const delayMs = this.#backoff.nextMs();
      talk(`sidecar ${how}; starting it again in ${delayMs} ms`);
      const timer = clock.setTimer(
        () => {
          this.#restarts += 1;
          this.start();
        },
        delayMs,
        { keepAlive: true },
      );
      this.#state = { t: "waiting", cancel: () => timer.cancel() };
    };
    child.on("error", (cause) => onEnd(`could not be started: ${messageOf(cause)}`));
    child.on("exit", (code, signal) => onEnd(signal ? `was ended by ${signal}` : `exited with code ${code}`));
  }

  /** Resolves once the sidecar has its first configuration and certificate (`/ready` answers 200). */
  async ready(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      if (await this.isReady()) return;
      await this.#options.clock.sleepMs(readyPollMs, signal);
    }
  }

  async isReady(): Promise<boolean> {
    try {
      return (await askAdmin(this.#options.admin, "GET", "/ready")).status === 200;
    } catch {
      return false;
    }
  }

  /** Asks peers to go elsewhere while requests in flight are finished. False when the sidecar did not hear it. */
  async drain(): Promise<boolean> {
    try {
      return (await askAdmin(this.#options.admin, "POST", "/drain_listeners?graceful")).status === 200;
    } catch {
      return false;
    }
  }

  /**
   * Ends the sidecar for good: SIGTERM, which lets connections finish, the same
   * again after a third of `graceMs`, which does not, and SIGKILL after all of it.
   */
  async stop(graceMs: number): Promise<void> {
    const state = this.#state;
    this.#state = { t: "stopped" };
    if (state.t === "waiting") state.cancel();
    if (state.t !== "running" || state.child.exitCode !== null || state.child.signalCode !== null) return;
    const { child } = state;
    if (child.pid === undefined) return;
    const { clock } = this.#options;
    const urge = clock.setTimer(() => child.kill("SIGTERM"), graceMs / 3, { keepAlive: true });
    const force = clock.setTimer(() => child.kill("SIGKILL"), graceMs, { keepAlive: true });
    await new Promise<void>((resolve) => {
      child.on("exit", () => resolve());
      child.kill("SIGTERM");
    });
    urge.cancel();
    force.cancel();
  }
}
