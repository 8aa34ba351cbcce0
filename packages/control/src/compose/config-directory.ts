import { type FSWatcher, readdirSync, readFileSync, statSync, watch } from "node:fs";
import { join } from "node:path";
import type { Clock, Timer } from "@weft/base/clock";
import { messageOf, UserError } from "@weft/base/errors";
import type { ConfigFile } from "../config/parse-documents.ts";

const yamlFile = /\.(ya?ml|json)$/i;
const maxFiles = 20_000;
/** Editors write a file in several steps; one reading covers them. */
const settleMs = 50;
/** Some file systems report nothing: they are looked at this often. */
const pollMs = 2_000;

export interface ConfigDirectoryOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly onChange: () => void;
  readonly onProblem: (message: string) => void;
}

/**
 * The YAML files below a directory, read again when they change. Reading never
 * throws once it has started: a directory that cannot be read for a moment
 * leaves the last files in force.
 */
export class ConfigDirectory {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #onProblem: (message: string) => void;
  #watcher: FSWatcher | undefined;
  #poll: Timer | undefined;
  #settle: Timer | undefined;
  #signature = "";
  #files: readonly ConfigFile[] = [];

  /** @throws UserError when the directory cannot be read at the start. */
  constructor(options: ConfigDirectoryOptions) {
    this.#directory = options.directory;
    this.#clock = options.clock;
    this.#onChange = options.onChange;
    this.#onProblem = options.onProblem;
    try {
      if (!statSync(this.#directory).isDirectory()) throw new Error("it is not a directory");
      this.#read();
    } catch (error) {
      throw new UserError(`--config ${this.#directory} cannot be read: ${messageOf(error)}`, {
        hint: "name a directory of YAML files that this user may read",
        cause: error,
      });
    }
  }

  /** Sorted by name. A new array whenever a file changed. */
  get files(): readonly ConfigFile[] {
    return this.#files;
  }

  start(): void {
    try {
      this.#watcher = watch(this.#directory, { recursive: true }, () => this.#schedule());
      this.#watcher.on("error", (error) => this.#onProblem(`watching ${this.#directory}: ${error.message}`));
      this.#watcher.unref();
    } catch (error) {
      this.#onProblem(
        `watching ${this.#directory}: ${messageOf(error)}; it is read every ${pollMs / 1000} s instead`,
      );
    }
    this.#schedulePoll();
  }

  close(): void {
    this.#watcher?.close();
    this.#poll?.cancel();
    this.#settle?.cancel();
  }

  #schedulePoll(): void {
    this.#poll = this.#clock.setTimer(() => {
      this.#refresh();
      this.#schedulePoll();
    }, pollMs);
  }

  #schedule(): void {
    this.#settle ??= this.#clock.setTimer(() => {
      this.#settle = undefined;
      this.#refresh();
    }, settleMs);
  }

  #refresh(): void {
    try {
      if (this.#read()) this.#onChange();
    } catch (error) {
      this.#onProblem(`${this.#directory} cannot be read, its last content stays: ${messageOf(error)}`);
    }
  }

  /** True when something changed; file times decide, so that an unchanged directory costs only its listing. */
  #read(): boolean {
    const names = listFiles(this.#directory);
    const signature = names
      .map((name) => {
        const { mtimeMs, size, ino } = statSync(name);
        return `${name}\u0000${mtimeMs}\u0000${size}\u0000${ino}`;
      })
      .join("\n");
    if (signature === this.#signature) return false;
    this.#files = names.map((name) => ({ name, text: readFileSync(name, "utf8") }));
    this.#signature = signature;
    return true;
  }
}

function listFiles(directory: string): readonly string[] {
  const found: string[] = [];
  const walk = (path: string): void => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.name.startsWith(".")) continue;
      const child = join(path, entry.name);
      if (entry.isDirectory()) walk(child);
      else if (yamlFile.test(entry.name)) found.push(child);
      if (found.length > maxFiles) throw new Error(`it holds more than ${maxFiles} files`);
    }
  };
  walk(directory);
  return found.sort();
}
