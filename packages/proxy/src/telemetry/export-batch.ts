import type { Clock, Timer } from "@weft/base/clock";
import type { Counter } from "@weft/base/metric-registry";

export interface ExportBatchOptions<T> {
  readonly clock: Clock;
  /** A record waits no longer than this. */
  readonly flushIntervalMs: number;
  /** This much is sent without waiting. */
  readonly batchBytes: number;
  /** As are this many records. Absent: bytes count alone. */
  readonly batchRecords?: number;
  /** More records may not wait. Absent: bytes count alone. */
  readonly maxWaitingRecords?: number;
  /** Sends a batch; `done` comes once, with whether all of it arrived. */
  send(records: readonly T[], done: (isDelivered: boolean) => void): void;
  readonly written: Counter;
  readonly dropped: Counter;
}

/** What may wait behind a collector that is slow. */
const maxWaitingBytes = 1024 * 1024;

/**
 * Gathers records and sends them in batches, one at a time, off the request
 * path. What a slow collector leaves no room for, and what one that is away
 * did not get, is counted as dropped: nothing is sent twice.
 */
export class ExportBatch<T> {
  readonly #options: ExportBatchOptions<T>;
  #records: T[] = [];
  #bytes = 0;
  #timer: Timer | undefined;
  #isSending = false;

  constructor(options: ExportBatchOptions<T>) {
    this.#options = options;
  }

  /** `sizeBytes` is about what the record takes. */
  add(record: T, sizeBytes: number): void {
    const { clock, flushIntervalMs, batchBytes, maxWaitingRecords, dropped } = this.#options;
    const isFull = this.#records.length === maxWaitingRecords;
    if (isFull || this.#bytes + sizeBytes > Math.max(maxWaitingBytes, batchBytes)) {
      dropped.value += 1;
      return;
    }
    this.#records.push(record);
    this.#bytes += sizeBytes;
    if (this.#isSending) return;
    if (this.#isDue()) this.#flush();
    else this.#timer ??= clock.setTimer(() => this.#flush(), flushIntervalMs);
  }

  #isDue(): boolean {
    const { batchBytes, batchRecords = Number.POSITIVE_INFINITY } = this.#options;
    return this.#bytes >= batchBytes || this.#records.length >= batchRecords;
  }

  #flush(): void {
    const { clock, flushIntervalMs, send, written, dropped } = this.#options;
    this.#timer?.cancel();
    this.#timer = undefined;
    const records = this.#records;
    this.#records = [];
    this.#bytes = 0;
    this.#isSending = true;
    send(records, (isDelivered) => {
      (isDelivered ? written : dropped).value += records.length;
      this.#isSending = false;
      if (this.#isDue()) this.#flush();
      else if (this.#records.length > 0) {
        this.#timer ??= clock.setTimer(() => this.#flush(), flushIntervalMs);
      }
    });
  }
}
