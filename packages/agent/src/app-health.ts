import type { Clock } from "@weft/base/clock";

export interface AppHealthOptions {
  readonly clock: Clock;
  readonly probe: () => Promise<boolean>;
  /** Told at each change: undefined is healthy. */
  readonly onChange: (problem: string | undefined) => void;
  readonly signal: AbortSignal;
}

const startingIntervalMs = 100;
const runningIntervalMs = 5_000;
/** One refused connection is a full backlog; two in a row are an application that is gone. */
const failuresAllowed = 1;

/**
 * Watches whether the application accepts connections, until `signal`: often
 * while it starts, so that it gets traffic at once, seldom afterwards.
 */
export async function watchAppHealth({ clock, probe, onChange, signal }: AppHealthOptions): Promise<void> {
  let isHealthy = false;
  let failures = 0;
  while (!signal.aborted) {
    const isAccepting = await probe();
    if (signal.aborted) return;
    failures = isAccepting ? 0 : failures + 1;
    if (isAccepting && !isHealthy) {
      isHealthy = true;
      onChange(undefined);
    } else if (isHealthy && failures > failuresAllowed) {
      isHealthy = false;
      onChange("the application no longer accepts connections");
    }
    await clock
      .sleepMs(isHealthy && failures === 0 ? runningIntervalMs : startingIntervalMs, signal)
      .catch(() => {});
  }
}
