import type { Clock, Timer } from "@weft/base/clock";
import { libcFunction } from "./net/libc.ts";

export interface MemoryReleaseOptions {
  readonly clock: Clock;
  /** Resident memory now, in bytes. */
  readonly residentBytes?: () => number;
  /** Gives free pages back; undefined where the platform cannot. */
  readonly release?: () => void;
}

/** Soon after start what compiling the configuration took is free; later mostly what compiling hot code took. */
const firstMs = 3_000;
const everyMs = 10_000;
/** Less than this is not worth walking the heap's free lists (half a millisecond). */
const worthBytes = 2 * 1024 * 1024;

/**
 * Gives memory that the allocator holds free back to the system.
 *
 * Compilers and parsers leave a C heap full of free pages, spread over one arena
 * per thread, which the allocator keeps: about 20 MB in a sidecar that has seen
 * traffic. A sidecar stands beside every workload, so that adds up. It is asked
 * for only when resident memory has grown since the last time.
 */
export class MemoryRelease {
  readonly #clock: Clock;
  readonly #residentBytes: () => number;
  readonly #release: (() => void) | undefined;
  #floorBytes = 0;
  #timer: Timer | undefined;

  constructor({ clock, residentBytes, release }: MemoryReleaseOptions) {
    this.#clock = clock;
    this.#residentBytes = residentBytes ?? (() => process.memoryUsage.rss());
    this.#release = release ?? mallocTrim();
    if (this.#release) this.#timer = clock.setTimer(this.#look, firstMs);
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** Does it now: every page counts. */
  releaseNow(): void {
    this.#release?.();
  }

  readonly #look = (): void => {
    if (this.#residentBytes() - this.#floorBytes >= worthBytes) {
      this.#release!();
      this.#floorBytes = this.#residentBytes();
    }
    this.#timer = this.#clock.setTimer(this.#look, everyMs);
  };
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
