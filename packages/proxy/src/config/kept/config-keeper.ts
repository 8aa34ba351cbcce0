import { createHash } from "node:crypto";
import { readFileSync, rmSync, statSync } from "node:fs";
import type { Clock, Timer } from "@weft/base/clock";
import { messageOf } from "@weft/base/errors";
import type { Counter, Gauge } from "@weft/base/metric-registry";
import { writePrivateFile } from "@weft/base/private-file";
import { formatKept, type KeptConfig, type KeptResource, parseKept } from "./kept-format.ts";

export interface ConfigKeeperOptions {
  readonly clock: Clock;
  readonly path: string;
  /** Whose configuration it is: that of another node or management server is not used. */
  readonly owner: string;
  /** Everything accepted that may be kept. */
  resources(): Iterable<KeptResource>;
  readonly stats: { readonly writes: Counter; readonly failures: Counter; readonly inForce: Gauge };
  warn(message: string): void;
}

/** Changes come in waves: one write is enough for all that arrives within this time. */
const settleMs = 1_000;
/** Far above the configuration of a large mesh; what is larger is not worth a disk's time. */
const maxBytes = 64 * 1024 * 1024;
/** How every private key in PEM begins; resources that hold one are not written. */
const privateKey = Buffer.from("PRIVATE KEY-----");

/**
 * Keeps the last good configuration in a file, so that a restart has something
 * to serve while the management server is away.
 *
 * Written a moment after the last of a series of changes, at most once a
 * second, and only when it differs; readable by its owner alone, and never with
 * a private key in it. A file that is damaged, too large, for another node, or
 * writable by others is ignored, and its reason told.
 */
export class ConfigKeeper {
  readonly #options: ConfigKeeperOptions;
  #timer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();
  #written = "";
  #hasFailed = false;
  #isUnusable = false;

  constructor(options: ConfigKeeperOptions) {
    this.#options = options;
  }

  get path(): string {
    return this.#options.path;
  }

  /** What an earlier run kept, or undefined. */
  read(): KeptConfig | undefined {
    const { path, owner, warn } = this.#options;
    try {
      const { size, mode } = statSync(path);
      if ((mode & 0o022) !== 0) throw new Error("others may write it");
      if (size > maxBytes) throw new Error(`it is larger than ${maxBytes} bytes`);
      return parseKept(readFileSync(path, "utf8"), owner);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT" && !this.#isUnusable) {
        this.#isUnusable = true;
        warn(`the configuration kept in ${path} is not used: ${messageOf(error)}`);
      }
      return undefined;
    }
  }

  /** Tells people that the configuration of an earlier run is served, or (undefined) no longer. */
  setInForce(kept: KeptConfig | undefined): void {
    const { stats, warn, path } = this.#options;
    stats.inForce.set(kept ? 1 : 0);
    if (kept) {
      const when = new Date(kept.writtenMs).toISOString();
      warn(`the management server does not answer: serving the configuration of ${when}, kept in ${path}`);
    } else {
      warn("the management server answers: the configuration kept on disk is brought up to date");
    }
  }

  /** Something changed: what is accepted then is written soon. */
  changed(): void {
    this.#timer ??= this.#options.clock.setTimer(() => this.#write(), settleMs);
  }

  /** Writes what is outstanding; resolves when it is on disk. */
  async close(): Promise<void> {
    if (this.#timer) this.#write();
    await this.#writing;
  }

  #write(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#writeNow());
  }

  async #writeNow(): Promise<void> {
    const { path, owner, clock, stats } = this.#options;
    const resources = [...this.#options.resources()].filter(({ body }) => !holdsPrivateKey(body));
    const content = digestOf(resources);
    if (content === this.#written) return;
    const text = formatKept(owner, { writtenMs: clock.now(), resources });
    try {
      if (text.length > maxBytes) {
        rmSync(path, { force: true });
        throw new Error(`it is larger than ${maxBytes} bytes`);
      }
      await writePrivateFile(path, text);
      this.#written = content;
      this.#hasFailed = false;
      stats.writes.add();
    } catch (error) {
      stats.failures.add();
      if (!this.#hasFailed) {
        this.#options.warn(`the configuration cannot be kept in ${path}: ${messageOf(error)}`);
      }
      this.#hasFailed = true;
    }
  }
}

function holdsPrivateKey(body: Uint8Array): boolean {
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).includes(privateKey);
}

/** Of what a restart would restore: equal digests need no second write. */
function digestOf(resources: readonly KeptResource[]): string {
  const hash = createHash("sha1");
  for (const { type, source, name, version, body } of resources) {
    hash.update(JSON.stringify([type, source, name, version, body.length])).update(body);
  }
  return hash.digest("base64");
}
