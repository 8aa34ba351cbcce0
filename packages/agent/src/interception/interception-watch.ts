import { spawn } from "node:child_process";
import type { Clock, Timer } from "@weft/base/clock";
import { parseCounters } from "./nft-counters.ts";
import { tableName } from "./nft-rules.ts";

export interface WatchOptions {
  /** What `nft -j list counters` prints. */
  readonly read: () => Promise<string>;
  readonly clock: Clock;
  readonly talk: (line: string) => void;
}

const lookMs = 30_000;

/**
 * Says when packets went past the sidecar, which carries TCP alone: what the
 * application sent by other protocols, which left as it was, and what others sent
 * it, which was kept out. Each once, and again when it goes on later.
 */
export class InterceptionWatch {
  readonly #options: WatchOptions;
  #timer: Timer | undefined;
  #passedBy = 0;
  #keptOut = 0;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#schedule();
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #schedule(): void {
    this.#timer = this.#options.clock.setTimer(() => {
      void this.#look().finally(() => {
        if (this.#timer) this.#schedule();
      });
    }, lookMs);
  }

  async #look(): Promise<void> {
    const { read, talk } = this.#options;
    // Without an answer there is nothing to say: the next look is soon.
    const counters = await read().then(parseCounters, () => undefined);
    if (!counters) return;
    const { passedBy, keptOut } = counters;
    if (passedBy > this.#passedBy) {
      talk(
        `${passedBy - this.#passedBy} flows of the application are of other protocols than TCP: they went past the sidecar, without an identity, and no policy saw them`,
      );
    }
    if (keptOut > this.#keptOut) {
      talk(
        `${keptOut - this.#keptOut} packets to the application of other protocols than TCP were kept out: --exclude-inbound-port lets those of a port in`,
      );
    }
    this.#passedBy = passedBy;
    this.#keptOut = keptOut;
  }
}

/** Reads the counters of this process's network namespace. */
export function readCounters(nft: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(nft, ["-j", "list", "counters", "table", ...tableName.split(" ")], {
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 5_000,
    });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      if (text.length < 65_536) text += chunk;
    });
    child.on("error", reject);
    child.on("close", () => resolve(text));
  });
}
