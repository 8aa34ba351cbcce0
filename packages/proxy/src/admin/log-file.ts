import { closeSync, openSync, writeSync } from "node:fs";
import { UserError } from "@weft/base/errors";
import { reasonOf } from "@weft/base/system-error";

/** The file of the proxy's own log, appended to; several workers may write to the same. */
export class LogFile {
  readonly #path: string;
  #fd: number;

  /** @throws UserError where it cannot be opened */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#fd = openSync(path, "a");
    } catch (error) {
      throw new UserError(`--log-path ${path}: it ${reasonOf(error)}`, { hint: "choose another file" });
    }
  }

  write(text: string): void {
    try {
      writeSync(this.#fd, text);
    } catch {
      // A full disk is no reason to stop serving.
    }
  }

  /** Opens it anew, after it has been rotated; where that fails the old file is written on. */
  reopen(): void {
    try {
      const fd = openSync(this.#path, "a");
      closeSync(this.#fd);
      this.#fd = fd;
    } catch (error) {
      this.write(`--log-path ${this.#path} could not be opened anew: it ${reasonOf(error)}\n`);
    }
  }
}
