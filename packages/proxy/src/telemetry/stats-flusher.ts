import { createSocket, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import type { Clock, Timer } from "@weft/base/clock";
import type { EnvoyStats } from "./envoy-stats.ts";
import { packLines, type StatsdFormat, StatsdLines } from "./statsd-lines.ts";

/** Where statistics are sent. @see envoy.config.metrics.v3.StatsdSink, DogStatsdSink */
export interface StatsSinkPlan {
  readonly format: StatsdFormat;
  readonly host: string;
  readonly port: number;
  /** Lines share datagrams of at most so many bytes; 0 sends each alone. */
  readonly maxDatagramBytes: number;
}

export interface StatsFlusherOptions {
  readonly clock: Clock;
  readonly sinks: readonly StatsSinkPlan[];
  readonly intervalMs: number;
  /** Which statistics are sent, by their dotted names; undefined: all. */
  readonly keeps: ((name: string) => boolean) | undefined;
  /** What this process has counted, all workers together. */
  stats(): EnvoyStats | Promise<EnvoyStats>;
}

/**
 * Sends statistics by UDP at every interval, and once more at the end. Nobody
 * answers: what does not arrive is lost.
 */
export class StatsFlusher {
  readonly #options: StatsFlusherOptions;
  readonly #sinks: readonly {
    readonly plan: StatsSinkPlan;
    readonly lines: StatsdLines;
    readonly socket: Socket;
  }[];
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(options: StatsFlusherOptions) {
    this.#options = options;
    this.#sinks = options.sinks.map((plan) => {
      const socket = createSocket(isIPv6(plan.host) ? "udp6" : "udp4");
      socket.unref();
      // A server that is away is no reason to stop counting.
      socket.on("error", () => {});
      return { plan, lines: new StatsdLines(plan.format, options.keeps), socket };
    });
    this.#schedule();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#flush();
    for (const { socket } of this.#sinks) socket.close();
  }

  #schedule(): void {
    this.#timer = this.#options.clock.setTimer(() => {
      void this.#flush().then(() => {
        if (!this.#isClosed) this.#schedule();
      });
    }, this.#options.intervalMs);
  }

  /** Resolves when the system has taken all of it. */
  async #flush(): Promise<void> {
    const stats = await this.#options.stats();
    const sent = this.#sinks.flatMap(({ plan, lines, socket }) =>
      packLines(lines.next(stats), plan.maxDatagramBytes).map(
        (datagram) =>
          new Promise<void>((resolve) => {
            socket.send(datagram, plan.port, plan.host, () => resolve());
          }),
      ),
    );
    await Promise.all(sent);
  }
}
