import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import type { Clock, Timer } from "@weft/base/clock";
import type { Workload } from "./workload.ts";

/** Writing at most this often keeps a busy mesh from rewriting the file for every endpoint. */
const writeDelayMs = 250;

/** Lines by workload: most are the same from one writing to the next. */
const lines = new WeakMap<Workload, string>();

function lineOf(workload: Workload): string {
  let line = lines.get(workload);
  if (line === undefined) {
    line = JSON.stringify(workload);
    lines.set(workload, line);
  }
  return line;
}

/**
 * Remembers the registrations in a file, so that a control plane that was
 * killed does not tell the first proxy that comes back that every service is
 * empty. A hint, not state: a lost or broken file costs nothing but that.
 */
export class RememberedWorkloads {
  readonly #file: string;
  readonly #clock: Clock;
  #pending: ReadonlyMap<string, Workload> | undefined;
  #timer: Timer | undefined;

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
    this.#timer ??= this.#clock.setTimer(() => this.flush(), writeDelayMs);
  }

  /** Writes what is pending now; the file is whole at every moment. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (!this.#pending) return;
    const temporary = `${this.#file}.new`;
    try {
      const healthy = this.#pending.values().filter((workload) => workload.isHealthy);
      writeFileSync(temporary, `[${[...healthy.map(lineOf)].join(",\n")}]`, { mode: 0o600 });
      renameSync(temporary, this.#file);
    } catch {
      rmSync(temporary, { force: true });
    }
    this.#pending = undefined;
  }
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
