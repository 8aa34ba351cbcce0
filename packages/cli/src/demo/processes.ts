import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A process the demo started, in a process group of its own. */
export interface DemoProcess {
  readonly name: string;
  readonly child: ChildProcess;
  readonly logFile: string;
}

/**
 * Starts and ends the demo's processes. Their pids stand in a file with their
 * start times, so that a later demo can end what a crashed one left and never
 * hits a process that merely has the same pid now.
 */
export class ProcessGroup {
  readonly #runDirectory: string;
  readonly #running = new Map<string, DemoProcess>();
  readonly #onExit: (name: string, code: number | null) => void;
  #isStopping = false;

  constructor(runDirectory: string, onExit: (name: string, code: number | null) => void) {
    this.#runDirectory = runDirectory;
    this.#onExit = onExit;
  }

  start(name: string, command: readonly string[], env: NodeJS.ProcessEnv = {}): DemoProcess {
    const logFile = this.logFile(name);
    const log = openSync(logFile, "a");
    const child = spawn(command[0]!, command.slice(1), {
      detached: true,
      stdio: ["ignore", log, log],
      env: { ...process.env, ...env },
    });
    closeSync(log);
    const started = { name, child, logFile };
    this.#running.set(name, started);
    child.on("error", () => this.#ended(name, 127));
    child.on("exit", (code) => this.#ended(name, code));
    this.#record();
    return started;
  }

  logFile(name: string): string {
    return join(this.#runDirectory, `${name}.log`);
  }

  get(name: string): DemoProcess | undefined {
    return this.#running.get(name);
  }

  /** Asks every process to stop, waits `graceMs`, then kills what is left, groups and all. */
  async stopAll(graceMs: number): Promise<void> {
    this.#isStopping = true;
    const all = [...this.#running.values()];
    for (const { child } of all) signalGroup(child.pid, "SIGTERM", false);
    const deadline = Date.now() + graceMs;
    while (this.#running.size > 0 && Date.now() < deadline) await new Promise((r) => setTimeout(r, 50));
    for (const { child } of all) signalGroup(child.pid, "SIGKILL", true);
    rmSync(join(this.#runDirectory, pidFile), { force: true });
  }

  #ended(name: string, code: number | null): void {
    this.#running.delete(name);
    this.#record();
    if (!this.#isStopping) this.#onExit(name, code);
  }

  #record(): void {
    const lines = [...this.#running.values()].flatMap(({ child }) =>
      child.pid ? [`${child.pid} ${startTime(child.pid)}`] : [],
    );
    writeFileSync(join(this.#runDirectory, pidFile), lines.join("\n"));
  }
}

const pidFile = "processes";

/** Kills the process groups that an earlier demo recorded and did not end. */
export function killLeftovers(runDirectory: string): number {
  let text = "";
  try {
    text = readFileSync(join(runDirectory, pidFile), "utf8");
  } catch {
    return 0;
  }
  let killed = 0;
  for (const line of text.split("\n").filter(Boolean)) {
    const [pid, started] = line.split(" ");
    if (startTime(Number(pid)) !== started) continue;
    signalGroup(Number(pid), "SIGKILL", true);
    killed += 1;
  }
  rmSync(join(runDirectory, pidFile), { force: true });
  return killed;
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals, wholeGroup: boolean): void {
  if (!pid) return;
  try {
    process.kill(wholeGroup ? -pid : pid, signal);
  } catch {
    // It has ended already.
  }
}

/** Start time in clock ticks since boot (field 22 of /proc/PID/stat); "" when there is no such process. */
export function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}
