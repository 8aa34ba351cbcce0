import type { Clock } from "@weft/base/clock";
import type { CallSignals, HistoryReport } from "../api/protocol.ts";
import type { BucketCounts } from "./sample.ts";

/** Distance of two points, and how many are kept: one hour. */
export const historyStepMs = 15_000;
const capacity = 240;
/** The numbers of a point, in the order they are kept in. */
const columns = ["rps", "success", "p50", "p95", "p99", "denied", "tcp", "saturation"] as const;
const maxBuckets = 32;

export interface SignalHistoryOptions {
  readonly clock: Clock;
  /** Services, versions and edges whose history is kept. Default 6,000, some 50 MB when all of them are busy. */
  readonly maxSeries?: number;
}

/** One thing's hour: rings of numbers, `NaN` where it was silent. */
interface Ring {
  readonly values: Float32Array;
  /** Calls per second by latency; only where the buckets were given. */
  heat: { readonly bounds: readonly number[]; readonly counts: Float32Array } | undefined;
  lastTick: number;
}

/**
 * One hour of golden signals, a point every 15 s, of whatever was named: bounded
 * in time and in number, in memory only. What was silent for an hour is forgotten;
 * when there are too many, what comes later is not kept until then.
 */
export class SignalHistory {
  readonly #clock: Clock;
  readonly #maxSeries: number;
  /** In order of their last point. */
  readonly #rings = new Map<string, Ring>();

  constructor({ clock, maxSeries = 6_000 }: SignalHistoryOptions) {
    this.#clock = clock;
    this.#maxSeries = maxSeries;
  }

  get size(): number {
    return this.#rings.size;
  }

  /** Adds the point of now; the last of several within 15 s stands. `saturation` is a share, 0–1. */
  record(id: string, signals: CallSignals, durations?: BucketCounts, saturation?: number): void {
    const tick = this.#tick;
    if (this.#rings.size >= this.#maxSeries && !this.#rings.has(id)) return;
    const ring = this.#rings.get(id) ?? { values: emptyValues(), heat: undefined, lastTick: tick };
    skipTo(ring, tick);
    const {
      requestsPerSecond: rps,
      successRate,
      p50Ms,
      p95Ms,
      p99Ms,
      deniedPerSecond,
      tcpConnections,
    } = signals;
    const point = [rps ?? 0, successRate, p50Ms, p95Ms, p99Ms, deniedPerSecond, tcpConnections, saturation];
    const at = (tick % capacity) * columns.length;
    point.forEach((value, i) => {
      ring.values[at + i] = value ?? Number.NaN;
    });
    if (durations) addHeat(ring, tick, durations);
    this.#rings.delete(id);
    this.#rings.set(id, ring);
  }

  /** Forgets what has had no point for an hour. */
  expire(): void {
    const oldest = this.#tick - capacity;
    for (const [id, { lastTick }] of this.#rings) {
      if (lastTick > oldest) return;
      this.#rings.delete(id);
    }
  }

  /** The hour up to now, oldest first; undefined when nothing of that name was recorded. */
  report(id: string): HistoryReport | undefined {
    const ring = this.#rings.get(id);
    if (!ring) return undefined;
    const tick = this.#tick;
    const first = tick - capacity + 1;
    const isHeld = (one: number) => one <= ring.lastTick && one > ring.lastTick - capacity;
    const ticks = Array.from({ length: capacity }, (_, i) => first + i);
    const column = (i: number) =>
      ticks.map((one) => (isHeld(one) ? shown(ring.values[(one % capacity) * columns.length + i]!) : null));
    const { heat } = ring;
    return {
      startMs: first * historyStepMs,
      stepMs: historyStepMs,
      ...(Object.fromEntries(columns.map((name, i) => [name, column(i)])) as Record<
        (typeof columns)[number],
        (number | null)[]
      >),
      heat: heat && {
        boundsMs: heat.bounds,
        counts: ticks.map((one) => {
          const width = heat.bounds.length + 1;
          const at = (one % capacity) * width;
          const counts = heat.counts.subarray(at, at + width);
          return isHeld(one) && counts.some((count) => count > 0)
            ? Array.from(counts, (n) => shown(n) ?? 0)
            : [];
        }),
      },
    };
  }

  get #tick(): number {
    return Math.floor(this.#clock.now() / historyStepMs);
  }
}

function emptyValues(): Float32Array {
  return new Float32Array(capacity * columns.length).fill(Number.NaN);
}

/** Makes what lies between the last point and this one silent. */
function skipTo(ring: Ring, tick: number): void {
  // A wall clock that went back overwrites what it had said of the same time.
  const from = Math.max(ring.lastTick + 1, tick - capacity + 1);
  for (let one = from; one <= tick; one++) {
    const at = (one % capacity) * columns.length;
    ring.values.fill(Number.NaN, at, at + columns.length);
    if (!ring.heat) continue;
    const width = ring.heat.bounds.length + 1;
    ring.heat.counts.fill(0, (one % capacity) * width, (one % capacity) * width + width);
  }
  ring.lastTick = tick;
}

function addHeat(ring: Ring, tick: number, { bounds, counts }: BucketCounts): void {
  if (counts.length > maxBuckets) return;
  const isSame =
    ring.heat?.bounds.length === bounds.length && bounds.every((b, i) => b === ring.heat!.bounds[i]);
  if (!isSame) ring.heat = { bounds, counts: new Float32Array(capacity * counts.length) };
  ring.heat!.counts.set(counts, (tick % capacity) * counts.length);
}

/** Four digits are what a chart can show; null for what was not measured. */
function shown(value: number): number | null {
  return Number.isNaN(value) ? null : Number(value.toPrecision(4));
}
