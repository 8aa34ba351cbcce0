import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "@weft/base/errors";
import type { ApiClient } from "@weft/control/api/client";
import type { RolloutEvent, RolloutStatus } from "@weft/control/api/rollout-protocol";
import { eventLine, renderProgress } from "./render-progress.ts";

/** Rolled back, aborted or undone. */
export const notPromoted = 5;
const interrupted = 130;
const lookMs = 500;
/** A control plane that is started anew is away for a moment. */
const patienceMs = 120_000;

/** Shows a rollout until it is over, and sets the exit code. Ctrl-C leaves it running and says so. */
export async function followRollout(
  api: ApiClient,
  begun: RolloutStatus,
  { output }: { readonly output: string },
): Promise<void> {
  const { namespace, service, id } = begun;
  const screen = new Screen(output === "json", process.stdout.isTTY === true);
  const left = new AbortController();
  const onInterrupt = () => left.abort();
  process.once("SIGINT", onInterrupt);
  try {
    let status = begun;
    let known = 0;
    let awaySinceMs: number | undefined;
    screen.show(status, status.events);
    while (!status.isOver) {
      await sleep(lookMs, undefined, { signal: left.signal }).catch(() => {});
      if (left.signal.aborted) return detach(screen, status);
      known = status.events.at(-1)?.number ?? known;
      try {
        const next = await api.rollout(namespace, service, known);
        if (next.id !== id) throw another(service);
        status = next;
        awaySinceMs = undefined;
        screen.show(status, status.events);
      } catch (error) {
        if (!(error instanceof UserError) || error.exitCode !== 3) throw error;
        if (awaySinceMs === undefined)
          process.stderr.write(`weft: ${error.message}; waiting for it to come back\n`);
        awaySinceMs ??= Date.now();
        if (Date.now() - awaySinceMs > patienceMs) throw error;
      }
    }
    screen.end();
    if (status.outcome !== "promoted") process.exitCode = notPromoted;
  } finally {
    process.removeListener("SIGINT", onInterrupt);
  }
}

function detach(screen: Screen, { namespace, service }: RolloutStatus): void {
  screen.end();
  const flag = namespace === "default" ? "" : ` -n ${namespace}`;
  process.stderr.write(
    `\nweft: the rollout of ${service} goes on without this terminal\n` +
      `  next: 'weft rollout status ${service}${flag} --watch' shows it again, 'weft rollout abort ${service}${flag}' ends it\n`,
  );
  process.exitCode = interrupted;
}

function another(service: string): UserError {
  return new UserError(`another rollout of ${service} has begun`, {
    hint: `'weft rollout status ${service} --watch' shows that one`,
    exitCode: notPromoted,
  });
}

/** Lines that stay for what happened; on a terminal below them what is now, written over again. */
class Screen {
  readonly #isJson: boolean;
  readonly #isLive: boolean;
  #height = 0;

  constructor(isJson: boolean, isTerminal: boolean) {
    this.#isJson = isJson;
    this.#isLive = isTerminal && !isJson;
  }

  show(status: RolloutStatus, events: readonly RolloutEvent[]): void {
    const { namespace, service, from, to, phase } = status;
    const lines = events.map((event) =>
      this.#isJson
        ? JSON.stringify({ namespace, service, from, to, phase, ...event })
        : eventLine(event, status),
    );
    const frame = this.#isLive ? renderProgress(status, process.stdout.columns ?? 80) : [];
    const clear = this.#height > 0 ? `\u001b[${this.#height}A\u001b[0J` : "";
    const text = [...lines, ...frame].map((line) => `${line}\n`).join("");
    if (text !== "" || clear !== "") process.stdout.write(clear + text);
    this.#height = frame.length;
  }

  /** What is shown now stays. */
  end(): void {
    this.#height = 0;
  }
}
