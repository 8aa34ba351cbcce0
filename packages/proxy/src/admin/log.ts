import type { Clock } from "@weft/base/clock";
import { type LogLevel, logLevels } from "./endpoints.ts";

/** The proxy's own log: one line on stderr for each event, never anything per request. */
export class Log {
  level: LogLevel;
  readonly #clock: Clock;
  readonly #write: (line: string) => void;

  constructor(level: LogLevel, clock: Clock, write: (line: string) => void) {
    this.level = level;
    this.#clock = clock;
    this.#write = write;
  }

  debug(message: string): void {
    this.#log("debug", message);
  }

  info(message: string): void {
    this.#log("info", message);
  }

  warning(message: string): void {
    this.#log("warning", message);
  }

  error(message: string): void {
    this.#log("error", message);
  }

  #log(level: LogLevel, message: string): void {
    if (logLevels.indexOf(level) < logLevels.indexOf(this.level)) return;
    this.#write(`[${new Date(this.#clock.now()).toISOString()}] [${level}] ${message}\n`);
  }
}
