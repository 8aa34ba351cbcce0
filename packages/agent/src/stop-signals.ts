/** Requests to end, from the terminal, a supervisor, or a test's `AbortSignal`. */
export interface StopSignals {
  /** Aborted with the first request. */
  readonly stop: AbortSignal;
  /** The signal to hand on, once there was one. */
  readonly received: () => NodeJS.Signals | undefined;
  forget(): void;
}

const endings: readonly NodeJS.Signals[] = ["SIGTERM", "SIGINT", "SIGQUIT"];
const passing: readonly NodeJS.Signals[] = ["SIGHUP", "SIGUSR1", "SIGUSR2"];

/**
 * Listens until `forget`. The first request to end asks for an orderly stop,
 * the second one calls `onAgain`; the others are handed on as they come.
 */
export function listenForStop(
  outer: AbortSignal | undefined,
  on: { readonly again: () => void; readonly passing: (signal: NodeJS.Signals) => void },
): StopSignals {
  const stop = new AbortController();
  let received: NodeJS.Signals | undefined;
  const end = (signal: NodeJS.Signals) => {
    if (stop.signal.aborted) {
      on.again();
      return;
    }
    received = signal;
    stop.abort(new StopRequest(signal));
  };
  const onAbort = () => end("SIGTERM");
  outer?.addEventListener("abort", onAbort, { once: true });
  if (outer?.aborted) onAbort();
  for (const signal of endings) process.on(signal, end);
  for (const signal of passing) process.on(signal, on.passing);
  return {
    stop: stop.signal,
    received: () => received,
    forget() {
      outer?.removeEventListener("abort", onAbort);
      for (const signal of endings) process.off(signal, end);
      for (const signal of passing) process.off(signal, on.passing);
    },
  };
}

/** Why something was given up: somebody asked this workload to end. */
export class StopRequest extends Error {
  override readonly name = "StopRequest";
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    super(`stopped by ${signal}`);
    this.signal = signal;
  }
}
