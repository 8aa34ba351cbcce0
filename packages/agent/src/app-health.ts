import type { Clock } from "@weft/base/clock";

/** How an application is asked whether it is ready, and how often. */
export interface AppProbe {
  /** What is said of one that is not. */
  readonly problem: string;
  readonly initialDelayMs: number;
  /** While it starts, or does not answer. */
  readonly startingPeriodMs: number;
  /** While it is well. */
  readonly periodMs: number;
  /** In a row, after which it counts as ready, and as not ready. */
  readonly successThreshold: number;
  readonly failureThreshold: number;
  /** False once `signal` aborts, at once. Never rejects. */
  readonly try: (signal: AbortSignal) => Promise<boolean>;
}

export interface AppHealthOptions {
  readonly clock: Clock;
  /** The probe in force; undefined: not known yet. Another object begins anew. */
  readonly probe: () => AppProbe | undefined;
  /** Told at each change: undefined is healthy. */
  readonly onChange: (problem: string | undefined) => void;
  readonly signal: AbortSignal;
}

/** How often it is looked whether the probe is known. */
const unknownIntervalMs = 100;

/** Watches whether the application is ready, until `signal`. */
export async function watchAppHealth({ clock, probe, onChange, signal }: AppHealthOptions): Promise<void> {
  let inForce: AppProbe | undefined;
  let isHealthy = false;
  /** Answers in a row that were like the last one. */
  let count = 0;
  let wasGood = false;
  const sleep = (ms: number) => clock.sleepMs(ms, signal).catch(() => {});
  while (!signal.aborted) {
    const current = probe();
    if (!current) {
      await sleep(unknownIntervalMs);
      continue;
    }
    if (current !== inForce) {
      inForce = current;
      count = 0;
      if (!isHealthy && current.initialDelayMs > 0) await sleep(current.initialDelayMs);
    }
    const isGood = await current.try(signal);
    if (signal.aborted) return;
    count = isGood === wasGood ? count + 1 : 1;
    wasGood = isGood;
    if (isGood !== isHealthy && count >= (isGood ? current.successThreshold : current.failureThreshold)) {
      isHealthy = isGood;
      onChange(isGood ? undefined : current.problem);
    }
    await sleep(isGood && isHealthy ? current.periodMs : current.startingPeriodMs);
  }
}
