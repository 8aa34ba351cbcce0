import { closeSync, openSync, write, writeSync } from "node:fs";
import type { Clock, Timer } from "@weft/base/clock";
import type { Counter } from "@weft/base/metric-registry";
import type { LineWriter } from "./line-writer.ts";
import { LogBuffer } from "./log-buffer.ts";

/** What every sink counts. */
export interface LogSinkStats {
  readonly lines: Counter;
  readonly flushes: Counter;
  /** Writes that began because lines had waited long enough. */
  readonly timedFlushes: Counter;
  readonly failures: Counter;
  readonly reopenFailures: Counter;
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

/** Room for a line after the one that fills a batch. */
const lineRoomBytes = 8 * 1024;

/** A file that is opened by path, or a descriptor that is already open. */
export type LogTarget = { readonly path: string } | { readonly descriptor: number };

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
  #gathered: LogBuffer;
  #gatheredLines = 0;
  /** Where the line begins that is being put together. */
  #lineStart = 0;
  /** The batch before, used again: one is written while the next gathers. */
  #spare: LogBuffer | undefined;
  #writing: { readonly batch: LogBuffer; offset: number; readonly lines: number } | undefined;
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
    this.#gathered = this.#createBatch();
    this.#descriptor = "path" in target ? openSync(target.path, "a", 0o644) : target.descriptor;
  }

  /** Gathered and not yet written. */
  get bufferedBytes(): number {
    const writing = this.#writing;
    return this.#gathered.length + (writing ? writing.batch.length - writing.offset : 0);
  }

  write(line: string): void {
    const writer = this.beginLine();
    if (!writer) return;
    writer.put(line);
    this.endLine();
  }

  /** Where the next line is put together, up to `endLine` or `dropLine`; undefined where it is lost. */
  beginLine(): LineWriter | undefined {
    if (this.#isClosed) {
      this.#stats.lostLines.value += 1;
      return undefined;
    }
    this.#lineStart = this.#gathered.length;
    return this.#gathered;
  }

  endLine(): void {
    if (this.#gathered.length > this.#maxWaitingBytes) {
      this.dropLine();
      return;
    }
    this.#stats.lines.value += 1;
    this.#gatheredLines += 1;
    if (this.#gathered.length >= this.#flushBytes) this.flush();
    else this.#timer ??= this.#clock.setTimer(this.#flushInTime, this.#flushIntervalMs);
  }

  /** In place of `endLine`: nothing is written of the line, which is counted as lost. */
  dropLine(): void {
    this.#gathered.length = this.#lineStart;
    this.#stats.lostLines.value += 1;
  }

  /** Begins to write what has gathered; one write is under way at a time. */
  readonly flush = (): void => {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#writing) return;
    if (this.#mustReopen) this.#reopenNow();
    if (this.#gathered.length === 0) return;
    this.#writing = { batch: this.#gathered, offset: 0, lines: this.#gatheredLines };
    this.#gathered = this.#spare ?? this.#createBatch();
    this.#spare = undefined;
    this.#gatheredLines = 0;
    this.#continue();
  };

  readonly #flushInTime = (): void => {
    this.#stats.timedFlushes.value += 1;
    this.flush();
  };

  /** Opens the file anew, after what was gathered for the old one is written: for log rotation. */
  reopen(): void {
    if (!("path" in this.#target) || this.#isClosed) return;
    if (this.#writing === undefined) this.#writeRemaining();
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
    const { bytes, length } = this.#gathered;
    if (length === 0) return;
    const lines = this.#gatheredLines;
    this.#gathered.length = 0;
    this.#gatheredLines = 0;
    try {
      let offset = 0;
      while (offset < length) offset += writeSync(this.#descriptor, bytes, offset, length - offset);
      this.#stats.flushes.add();
    } catch {
      this.#lose(lines);
    }
  }

  #createBatch(): LogBuffer {
    return new LogBuffer(this.#flushBytes + lineRoomBytes);
  }

  /** A backlog is rare, and its memory is not kept. */
  #reuse(batch: LogBuffer): void {
    batch.length = 0;
    if (batch.bytes.length <= 2 * (this.#flushBytes + lineRoomBytes)) this.#spare = batch;
  }

  #continue(): void {
    const writing = this.#writing!;
    const { batch, offset } = writing;
    write(this.#descriptor, batch.bytes, offset, batch.length - offset, null, (error, written) => {
      if (error?.code === "EAGAIN") {
        // A pipe whose reader is slow: wait as long as a flush would.
        this.#clock.setTimer(() => this.#continue(), this.#flushIntervalMs);
        return;
      }
      if (error) this.#lose(writing.lines);
      else {
        writing.offset += written;
        if (writing.offset < batch.length) {
          this.#continue();
          return;
        }
        this.#stats.flushes.add();
      }
      this.#writing = undefined;
      this.#reuse(batch);
      if (this.#isClosed) {
        if ("path" in this.#target) closeSync(this.#descriptor);
      } else if (this.#mustReopen || this.#gathered.length >= this.#flushBytes) this.flush();
      else if (this.#gathered.length > 0)
        this.#timer ??= this.#clock.setTimer(this.#flushInTime, this.#flushIntervalMs);
    });
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
      this.#stats.reopenFailures.add();
    }
  }
}
