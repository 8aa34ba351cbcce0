import { closeSync, openSync, write, writeSync } from "node:fs";
import type { Clock, Timer } from "@weft/base/clock";
import type { Counter } from "@weft/base/metric-registry";

/** What every sink counts. */
export interface LogSinkStats {
  readonly lines: Counter;
  readonly flushes: Counter;
  readonly failures: Counter;
  /** Lines that were dropped because they could not be written in time. */
  readonly lostLines: Counter;
}

export interface LogSinkOptions {
  readonly clock: Clock;
  readonly stats: LogSinkStats;
  readonly flushIntervalMs?: number;
  readonly flushBytes?: number;
  /** Beyond this much waiting for a slow disk or reader, lines are dropped and counted. */
  readonly maxWaitingBytes?: number;
}

/** A file that is opened by path, or a descriptor that is already open. */
export type LogTarget = { readonly path: string } | { readonly descriptor: number };

/** Room for a batch of any text: UTF-8 takes at most three bytes for each unit of a string. */
const maxBytesPerUnit = 3;

/**
 * Collects lines and writes them in batches: when 64 KiB have gathered or a
 * second has passed. Never blocks and never throws: what a full disk or a slow
 * reader cannot take is dropped and counted.
 */
export class LogSink {
  readonly #target: LogTarget;
  readonly #clock: Clock;
  readonly #stats: LogSinkStats;
  readonly #flushIntervalMs: number;
  readonly #flushBytes: number;
  readonly #maxWaitingBytes: number;
  #descriptor: number;
  #gathered = "";
  #gatheredLines = 0;
  /** Reused from batch to batch: one is written at a time, and finding out how long its text will be costs as much as encoding it. */
  #batch: Buffer | undefined;
  #writing: { readonly bytes: Buffer; offset: number; readonly lines: number } | undefined;
  #timer: Timer | undefined;
  #mustReopen = false;
  #isClosed = false;

  /** @throws when a file cannot be opened: the caller names the configuration it came from. */
  constructor(target: LogTarget, options: LogSinkOptions) {
    this.#target = target;
    this.#clock = options.clock;
    this.#stats = options.stats;
    this.#flushIntervalMs = options.flushIntervalMs ?? 1_000;
    this.#flushBytes = options.flushBytes ?? 64 * 1024;
    this.#maxWaitingBytes = options.maxWaitingBytes ?? 8 * 1024 * 1024;
    this.#descriptor = "path" in target ? openSync(target.path, "a", 0o644) : target.descriptor;
  }

  write(line: string): void {
    if (this.#isClosed || this.#gathered.length + line.length > this.#maxWaitingBytes) {
      this.#stats.lostLines.value += 1;
      return;
    }
    this.#stats.lines.value += 1;
    this.#gathered += line;
    this.#gatheredLines += 1;
    if (this.#gathered.length >= this.#flushBytes) this.flush();
    else this.#timer ??= this.#clock.setTimer(this.flush, this.#flushIntervalMs);
  }

  /** Begins to write what has gathered; one write is under way at a time. */
  readonly flush = (): void => {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#writing) return;
    if (this.#mustReopen) this.#reopenNow();
    if (this.#gathered === "") return;
    this.#writing = { bytes: this.#encode(this.#gathered), offset: 0, lines: this.#gatheredLines };
    this.#gathered = "";
    this.#gatheredLines = 0;
    this.#continue();
  };

  /** Opens the file anew, after what was gathered for the old one is written: for log rotation. */
  reopen(): void {
    if (!("path" in this.#target) || this.#isClosed) return;
    if (this.#writing === undefined && this.#gathered !== "") this.#writeRemaining();
    this.#mustReopen = true;
    this.flush();
  }

  /** Writes what is left before returning; for the end of the process. */
  close(): void {
    if (this.#isClosed) return;
    this.#timer?.cancel();
    this.#writeRemaining();
    this.#isClosed = true;
    if ("path" in this.#target && !this.#writing) closeSync(this.#descriptor);
  }

  #writeRemaining(): void {
    if (this.#gathered === "") return;
    const bytes = Buffer.from(this.#gathered, "utf8");
    const lines = this.#gatheredLines;
    this.#gathered = "";
    this.#gatheredLines = 0;
    try {
      let offset = 0;
      while (offset < bytes.length) offset += writeSync(this.#descriptor, bytes, offset);
      this.#stats.flushes.add();
    } catch {
      this.#lose(lines);
    }
  }

  #encode(text: string): Buffer {
    const needed = text.length * maxBytesPerUnit;
    // A backlog is rare, and its buffer is not kept.
    if (text.length > 2 * this.#flushBytes) return Buffer.from(text, "utf8");
    if (!this.#batch || this.#batch.length < needed) this.#batch = Buffer.allocUnsafeSlow(needed);
    return this.#batch.subarray(0, this.#batch.write(text, 0, "utf8"));
  }

  #continue(): void {
    const batch = this.#writing!;
    write(
      this.#descriptor,
      batch.bytes,
      batch.offset,
      batch.bytes.length - batch.offset,
      null,
      (error, written) => {
        if (error?.code === "EAGAIN") {
          // A pipe whose reader is slow: wait as long as a flush would.
          this.#clock.setTimer(() => this.#continue(), this.#flushIntervalMs);
          return;
        }
        if (error) this.#lose(batch.lines);
        else {
          batch.offset += written;
          if (batch.offset < batch.bytes.length) {
            this.#continue();
            return;
          }
          this.#stats.flushes.add();
        }
        this.#writing = undefined;
        if (this.#isClosed) {
          if ("path" in this.#target) closeSync(this.#descriptor);
        } else if (this.#mustReopen || this.#gathered.length >= this.#flushBytes) this.flush();
        else if (this.#gathered !== "")
          this.#timer ??= this.#clock.setTimer(this.flush, this.#flushIntervalMs);
      },
    );
  }

  #lose(lines: number): void {
    this.#stats.failures.add();
    this.#stats.lostLines.add(lines);
  }

  #reopenNow(): void {
    this.#mustReopen = false;
    if (!("path" in this.#target)) return;
    try {
      const fresh = openSync(this.#target.path, "a", 0o644);
      closeSync(this.#descriptor);
      this.#descriptor = fresh;
    } catch {
      // The old file goes on taking lines; better there than nowhere.
      this.#stats.failures.add();
    }
  }
}
