import { readFileSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import type { Clock, Timer } from "@weft/base/clock";
import type { Workload } from "./workload.ts";

/** Writing at most this often keeps a busy mesh from rewriting the file for every endpoint. */
const minDelayMs = 250;
/** A large mesh's file takes longer to write: at most this share of the time goes into that. */
const maxBusyShare = 1 / 20;
const maxDelayMs = 5_000;
/** Workloads written in one go, between which the process does other things. */
const batch = 256;

/** Lines by workload: most are the same from one writing to the next. */
const lines = new WeakMap<Workload, string>();

/**
 * Remembers the registrations in a file, so that a control plane that was
 * killed does not tell the first proxy that comes back that every service is
 * empty. A hint, not state: a lost or broken file costs nothing but that.
 *
 * Only the newest state is written, one writing at a time, beside everything
 * else the process does; the file is whole at every moment.
 */
export class RememberedWorkloads {
  readonly #file: string;
  readonly #clock: Clock;
  #pending: ReadonlyMap<string, Workload> | undefined;
  #timer: Timer | undefined;
  #writing: Promise<void> | undefined;
  #delayMs = minDelayMs;

  constructor(file: string, clock: Clock) {
    this.#file = file;
    this.#clock = clock;
  }

  /** Those of the last run, healthy ones only; empty when there is no usable file. */
  read(): readonly Workload[] {
    try {
      const parsed: unknown = JSON.parse(readFileSync(this.#file, "utf8"));
      return Array.isArray(parsed) ? parsed.filter(isRemembered) : [];
    } catch {
      return [];
    }
  }

  save(workloads: ReadonlyMap<string, Workload>): void {
    this.#pending = workloads;
    this.#schedule();
  }

  /** Resolves when everything saved until now is in the file. */
  async flush(): Promise<void> {
    while (this.#pending || this.#writing) await this.#write();
  }

  #schedule(): void {
    if (this.#timer || this.#writing || !this.#pending) return;
    this.#timer = this.#clock.setTimer(() => void this.#write(), this.#delayMs);
  }

  #write(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#writing ??= this.#writePending().finally(() => {
      this.#writing = undefined;
      this.#schedule();
    });
    return this.#writing;
  }

  async #writePending(): Promise<void> {
    const workloads = this.#pending;
    this.#pending = undefined;
    if (!workloads) return;
    const startMs = this.#clock.monotonicMs();
    const temporary = `${this.#file}.new`;
    try {
      await writeFile(temporary, textOf(workloads), { mode: 0o600 });
      await rename(temporary, this.#file);
    } catch {
      await rm(temporary, { force: true }).catch(() => {});
    }
    const tookMs = this.#clock.monotonicMs() - startMs;
    this.#delayMs = Math.min(maxDelayMs, Math.max(minDelayMs, tookMs / maxBusyShare));
  }
}

/** A JSON array of the healthy ones in parts. */
function* textOf(workloads: ReadonlyMap<string, Workload>): Iterable<string> {
  let part: string[] = [];
  let before = "[";
  for (const workload of workloads.values()) {
    if (!workload.isHealthy) continue;
    part.push(lineOf(workload));
    if (part.length < batch) continue;
    yield before + part.join(",\n");
    before = ",\n";
    part = [];
  }
  yield `${part.length > 0 || before === "[" ? before : ""}${part.join(",\n")}]`;
}

function lineOf(workload: Workload): string {
  let line = lines.get(workload);
  if (line === undefined) {
    line = JSON.stringify(workload);
    lines.set(workload, line);
  }
  return line;
}

/** The file was written by this program, so its shape is checked, not its every value. */
function isRemembered(value: unknown): value is Workload {
  const w = value as Workload;
  return (
    typeof w === "object" &&
    w !== null &&
    [w.id, w.name, w.workloadName, w.namespace, w.serviceAccount, w.service].every(
      (t) => typeof t === "string",
    ) &&
    [w.addresses, w.ports, w.upstreams].every(Array.isArray) &&
    typeof w.labels === "object" &&
    w.isHealthy === true
  );
}
