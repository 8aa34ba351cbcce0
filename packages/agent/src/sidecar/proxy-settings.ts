import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "@weft/base/clock";
import { messageOf } from "@weft/base/errors";
import { writePrivateFile } from "@weft/base/private-file";

/** How the mesh says that a proxy is started. */
export interface ProxySettings {
  /** 0: as many workers as there are processors. Undefined: nothing said. */
  readonly concurrency: number | undefined;
  readonly environment: Readonly<Record<string, string>>;
}

const ordinary: ProxySettings = { concurrency: undefined, environment: {} };

/** How long the control plane has to say something before what the last run kept is used. */
const patienceMs = 2_000;
const maxKeptLength = 1 << 20;

/**
 * How the proxy of this workload is to be started: as the control plane says or,
 * while that is away, as it last said. A proxy that runs is not started anew
 * when it says something else; people are told.
 */
export class ProxySettingsKeeper {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #talk: (line: string) => void;
  readonly #said = Promise.withResolvers<ProxySettings>();
  #used: ProxySettings | undefined;

  constructor(path: string, clock: Clock, talk: (line: string) => void) {
    this.#path = path;
    this.#clock = clock;
    this.#talk = talk;
  }

  /** Undefined: the control plane says nothing of it. */
  set(said: ProxySettings = ordinary): void {
    this.#said.resolve(said);
    writePrivateFile(this.#path, JSON.stringify(said)).catch((error: unknown) => {
      this.#talk(`how the proxy is started cannot be kept in ${this.#path}: ${messageOf(error)}`);
    });
    if (!this.#used || isDeepStrictEqual(said, this.#used)) return;
    this.#talk("the mesh starts proxies of this workload otherwise now: run it anew for that to take effect");
    this.#used = said;
  }

  /** What a proxy is to be started with now. */
  async first(): Promise<ProxySettings> {
    const late = Promise.withResolvers<ProxySettings>();
    const timer = this.#clock.setTimer(() => late.resolve(this.#kept()), patienceMs);
    this.#used = await Promise.race([this.#said.promise, late.promise]);
    timer.cancel();
    return this.#used;
  }

  #kept(): ProxySettings {
    try {
      const text = readFileSync(this.#path, "utf8");
      if (text.length > maxKeptLength) return ordinary;
      const { concurrency, environment } = JSON.parse(text) as Partial<ProxySettings>;
      return {
        concurrency: typeof concurrency === "number" ? concurrency : undefined,
        environment: Object.fromEntries(
          Object.entries(environment ?? {}).filter(([, value]) => typeof value === "string"),
        ),
      };
    } catch {
      // There is none, or it was cut off.
      return ordinary;
    }
  }
}
