import type { Clock, Timer } from "@weft/base/clock";
import { MeshError } from "@weft/base/errors";
import { SortedMap } from "@weft/base/sorted-map";
import { AwaitedReturns } from "./awaited-returns.ts";
import type { Workload } from "./workload.ts";

/** An agent's hold on its registration, as long as its stream lives. Every method is a no-op after `end`. */
export interface Lease {
  readonly workloadId: string;
  /** What the agent says now; keeps the health it reported. */
  update(workload: Workload): void;
  setHealth(isHealthy: boolean): void;
  /** The stream is gone, by a word or in silence: the registration ends after the grace, unless the agent comes back before. */
  end(how?: "silence"): void;
}

export interface WorkloadRegistryOptions {
  readonly clock: Clock;
  /** How long a registration outlives its stream, for a reconnect. Default 4 s. */
  readonly graceMs?: number;
  /**
   * The same where nothing had come from the agent for up to 4 s, though it was
   * asked: with those a machine that vanishes is gone within 5 s. Default 0.5 s.
   */
  readonly silenceGraceMs?: number;
  /**
   * How long remembered registrations wait for their agents after a restart, and
   * those of many streams that ended at once, counted from the last agent that
   * came back; six times as long at most. Default 20 s.
   */
  readonly restartGraceMs?: number;
  /** More registrations than this are refused. Default 20,000. */
  readonly maxWorkloads?: number;
}

interface Entry {
  workload: Workload;
  /** The lease that holds this entry; undefined while its agent is away. */
  lease: symbol | undefined;
  expiry: Timer | undefined;
}

/** Fewer than this are not taken for many. */
const minLostAtOnce = 16;

/** Something changed; `removed` are ids. */
export interface WorkloadsChange {
  readonly workloads: SortedMap<Workload>;
  readonly removed: readonly string[];
}

/**
 * Which workloads exist right now. A registration lives exactly as long as its
 * agent's stream, plus a short grace; listeners get a new immutable map at the
 * moment something changed, never later.
 *
 * A second stream for the same workload takes the registration over, so that a
 * reconnect overtaking the end of the old stream loses nothing.
 *
 * Where more than half of all streams are gone, it is rather this process or its
 * network that is at fault than every workload: those registrations leave
 * together, once agents have stopped coming back.
 */
export class WorkloadRegistry {
  readonly #clock: Clock;
  readonly #graceMs: number;
  readonly #silenceGraceMs: number;
  readonly #maxWorkloads: number;
  readonly #entries = new Map<string, Entry>();
  readonly #returns: AwaitedReturns;
  /** Ids that leave together unless their agents return. */
  readonly #awaited = new Set<string>();
  /** Entries without a lease. */
  #away = 0;
  readonly #listeners = new Set<(change: WorkloadsChange) => void>();
  #workloads = SortedMap.from<Workload>([]);

  constructor(options: WorkloadRegistryOptions) {
    this.#clock = options.clock;
    this.#graceMs = options.graceMs ?? 4_000;
    this.#silenceGraceMs = options.silenceGraceMs ?? 500;
    this.#maxWorkloads = options.maxWorkloads ?? 20_000;
    const { clock, restartGraceMs: quietMs = 20_000 } = options;
    const onOver = () => this.#giveUpAwaited();
    this.#returns = new AwaitedReturns({ clock, quietMs, maxMs: quietMs * 6, onOver });
  }

  /** By id. A new map whenever anything in it changed. */
  get workloads(): SortedMap<Workload> {
    return this.#workloads;
  }

  get(id: string): Workload | undefined {
    return this.#entries.get(id)?.workload;
  }

  isConnected(id: string): boolean {
    return this.#entries.get(id)?.lease !== undefined;
  }

  onChange(listener: (change: WorkloadsChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes up a registration; unhealthy until its agent says otherwise, unless it was here a moment ago. */
  register(workload: Workload): Lease {
    const existing = this.#entries.get(workload.id);
    if (existing && existing.workload.serviceAccount !== workload.serviceAccount) {
      throw new MeshError(
        `${workload.id} is registered by another identity (${existing.workload.serviceAccount}): choose another name`,
        { source: "downstream" },
      );
    }
    if (!existing && this.#entries.size >= this.#maxWorkloads) {
      throw new MeshError(`the mesh already holds ${this.#maxWorkloads} workloads`, {
        source: "internal",
        isRetrySafe: true,
      });
    }
    const token = Symbol(workload.id);
    if (existing && !existing.lease) this.#away -= 1;
    existing?.expiry?.cancel();
    if (this.#awaited.delete(workload.id)) this.#returns.returned();
    const isHealthy = existing?.workload.isHealthy ?? false;
    this.#entries.set(workload.id, { workload: { ...workload, isHealthy }, lease: token, expiry: undefined });
    this.#changed([workload.id], []);
    return this.#lease(workload.id, token);
  }

  /** Puts back what was registered before a restart; each must be claimed by its agent in time or leaves. */
  restore(workloads: readonly Workload[]): void {
    const restored: string[] = [];
    for (const workload of workloads.slice(0, this.#maxWorkloads)) {
      if (this.#entries.has(workload.id)) continue;
      this.#entries.set(workload.id, { workload, lease: undefined, expiry: undefined });
      this.#awaited.add(workload.id);
      restored.push(workload.id);
    }
    if (restored.length === 0) return;
    this.#away += restored.length;
    this.#returns.begin();
    this.#changed(restored, []);
  }

  /** Cancels every timer; the registrations stay readable. */
  close(): void {
    for (const entry of this.#entries.values()) entry.expiry?.cancel();
    this.#returns.close();
    this.#listeners.clear();
  }

  #lease(id: string, token: symbol): Lease {
    const held = (): Entry | undefined => {
      const entry = this.#entries.get(id);
      return entry?.lease === token ? entry : undefined;
    };
    return {
      workloadId: id,
      update: (workload) => {
        const entry = held();
        if (!entry || workload.id !== id) return;
        const next = { ...workload, isHealthy: entry.workload.isHealthy };
        if (isSame(entry.workload, next)) return;
        entry.workload = next;
        this.#changed([id], []);
      },
      setHealth: (isHealthy) => {
        const entry = held();
        if (!entry || entry.workload.isHealthy === isHealthy) return;
        entry.workload = { ...entry.workload, isHealthy };
        this.#changed([id], []);
      },
      end: (how) => {
        const entry = held();
        if (!entry) return;
        entry.lease = undefined;
        this.#away += 1;
        const graceMs = how === "silence" ? this.#silenceGraceMs : this.#graceMs;
        entry.expiry = this.#clock.setTimer(() => this.#expire(id, entry), graceMs);
      },
    };
  }

  #expire(id: string, entry: Entry): void {
    if (this.#entries.get(id) !== entry || entry.lease !== undefined) return;
    entry.expiry = undefined;
    if (this.#away >= minLostAtOnce && this.#away * 2 > this.#entries.size) {
      this.#awaited.add(id);
      this.#returns.begin();
      return;
    }
    this.#away -= 1;
    this.#entries.delete(id);
    this.#changed([], [id]);
  }

  #giveUpAwaited(): void {
    const gone = [...this.#awaited];
    this.#awaited.clear();
    this.#away -= gone.length;
    for (const id of gone) this.#entries.delete(id);
    this.#changed([], gone);
  }

  #changed(changed: readonly string[], removed: readonly string[]): void {
    const before = this.#workloads;
    const set: [string, Workload][] = [];
    for (const id of changed) {
      const { workload } = this.#entries.get(id)!;
      const known = before.get(id);
      if (!known || !isSame(known, workload)) set.push([id, workload]);
    }
    const gone = removed.filter((id) => before.has(id));
    if (set.length === 0 && gone.length === 0) return;
    const workloads = before.with(set, gone);
    this.#workloads = workloads;
    for (const listener of this.#listeners) listener({ workloads, removed: gone });
  }
}

/** Workloads are plain data made in one place with one key order, so their JSON compares them. */
function isSame(a: Workload, b: Workload): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
