import type { Clock, Timer } from "@weft/base/clock";
import { libcFunction } from "./net/libc.ts";
import { type YoungGeneration, youngGeneration } from "./young-generation.ts";

export interface MemoryReleaseOptions {
  readonly clock: Clock;
  /** Resident memory now, in bytes. */
  readonly residentBytes?: () => number;
  /** Gives free pages of the C heap back; undefined where the platform cannot. */
  readonly release?: () => void;
  readonly young?: YoungGeneration;
}

/** Soon after start what compiling the configuration took is free; later mostly what compiling hot code took. */
const firstMs = 3_000;
const everyMs = 10_000;
/** Less than this is not worth walking the heap's free lists (half a millisecond). */
const worthBytes = 2 * 1024 * 1024;
/** A young generation that has grown to this, and what counts as nothing to do: a request a few times a second. */
const grownYoungBytes = 8 * 1024 * 1024;
const idleShare = 0.02;
/** A collection stops all for a moment: now and then is enough. */
const shrinkEveryMs = 300_000;

/**
 * Gives memory that nobody uses back to the system. A sidecar stands beside every
 * workload, and most of them have nothing to do most of the time.
 *
 * Compilers and parsers leave a C heap full of free pages, spread over one arena
 * per thread, which the allocator keeps: about 20 MB in a sidecar that has seen
 * traffic. It is asked for only when resident memory has grown since the last
 * time. And reading a configuration, or a burst of requests, grows the young
 * generation of the JavaScript heap to its limit, 16 MB, where it stays: it is
 * made small again once the event loop has had next to nothing to do since the last
 * look, at most every five minutes.
 */
export class MemoryRelease {
  readonly #clock: Clock;
  readonly #residentBytes: () => number;
  readonly #release: (() => void) | undefined;
  readonly #young: YoungGeneration;
  #floorBytes = 0;
  #shrunkMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;

  constructor({ clock, residentBytes, release, young }: MemoryReleaseOptions) {
    this.#clock = clock;
    this.#residentBytes = residentBytes ?? (() => process.memoryUsage.rss());
    this.#release = release ?? mallocTrim();
    this.#young = young ?? youngGeneration();
    this.#timer = clock.setTimer(this.#look, firstMs);
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** Does it now: every page counts. */
  releaseNow(): void {
    this.#release?.();
  }

  readonly #look = (): void => {
    this.#shrinkWhenIdle();
    if (this.#release && this.#residentBytes() - this.#floorBytes >= worthBytes) {
      this.#release();
      this.#floorBytes = this.#residentBytes();
    }
    this.#timer = this.#clock.setTimer(this.#look, everyMs);
  };

  #shrinkWhenIdle(): void {
    const nowMs = this.#clock.monotonicMs();
    const isIdle = this.#young.busyShare() < idleShare;
    if (!isIdle || nowMs - this.#shrunkMs < shrinkEveryMs) return;
    if (this.#young.committedBytes() < grownYoungBytes) return;
    this.#young.shrink();
    this.#shrunkMs = nowMs;
  }
}

/** glibc's `malloc_trim`, which other C libraries lack. */
function mallocTrim(): (() => void) | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    const trim = libcFunction("int malloc_trim(size_t)") as (pad: number) => number;
    return () => void trim(0);
  } catch {
    return undefined;
  }
}
