import { messageOf } from "@weft/base/errors";
import type { Log } from "../admin/log.ts";
import type { Sidecar } from "../sidecar.ts";
import type { StatsCopy } from "../telemetry/stats-copy.ts";
import { type SuccessorReady, startSuccessor } from "./successor.ts";

export interface HotRestartOptions {
  readonly sidecar: Sidecar;
  /** What to start again; without it SIGUSR2 only says that it cannot. */
  readonly program: { readonly entry: string; readonly args: readonly string[] } | undefined;
  readonly epoch: number;
  /** How long connections may finish after the handover. */
  readonly drainTimeMs: number;
  readonly log: Log;
}

/** From a process that is leaving to the one that took over. */
interface FormerStats {
  readonly t: "stats";
  readonly stats: StatsCopy;
}

/**
 * On SIGUSR2 starts this program again, as it is on disk now and with the same
 * arguments, gives it the listening sockets, and leaves when it serves.
 *
 * Both processes take from the same queue until then, so no connection is
 * refused or lost; those that are open finish here. A successor that cannot
 * start changes nothing. What was counted goes over at the end.
 */
export class HotRestart {
  readonly handedOver: Promise<void>;
  isHandedOver = false;
  readonly #options: HotRestartOptions;
  readonly #over = Promise.withResolvers<void>();
  readonly #onSignal = () => void this.#begin();
  #isRunning = false;

  constructor(options: HotRestartOptions) {
    this.#options = options;
    this.handedOver = this.#over.promise;
    process.on("SIGUSR2", this.#onSignal);
  }

  close(): void {
    process.off("SIGUSR2", this.#onSignal);
  }

  /** In the process that took over: says when it serves, and takes what its predecessor counted. */
  succeed(): void {
    const { sidecar } = this.#options;
    process.on("message", (message: FormerStats) => {
      if (message.t === "stats") sidecar.addFormerStats(message.stats);
    });
    // The channel is no reason to live on.
    process.channel?.unref();
    void sidecar.serving.then(() => process.send?.({ t: "ready" } satisfies SuccessorReady));
  }

  async #begin(): Promise<void> {
    const { sidecar, program, epoch, drainTimeMs, log } = this.#options;
    if (this.#isRunning) return;
    if (!program) {
      log.warning("SIGUSR2: hot restart is disabled, or it is not known how this process was started");
      return;
    }
    this.#isRunning = true;
    try {
      const sockets = await sidecar.shareSockets();
      log.info(`starting a successor, epoch ${epoch + 1}`);
      const successor = await startSuccessor({ ...program, epoch: epoch + 1, sockets });
      log.info(
        `epoch ${epoch + 1} serves as process ${successor.pid}; connections have ${drainTimeMs} ms to finish`,
      );
      await sidecar.handOver(drainTimeMs);
      const stats = await sidecar.copyStats();
      await new Promise<void>((resolve) => {
        successor.send({ t: "stats", stats } satisfies FormerStats, () => resolve());
      });
      successor.disconnect();
      successor.unref();
      this.isHandedOver = true;
      this.#over.resolve();
    } catch (error) {
      log.error(`the successor does not serve, this process goes on: ${messageOf(error)}`);
      this.#isRunning = false;
    }
  }
}
