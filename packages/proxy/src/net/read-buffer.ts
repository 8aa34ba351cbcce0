import type { StreamHandle } from "./stream-binding.ts";

/** Every direct read lands here: it is consumed before the next one begins. */
const sharedBuffer = Buffer.allocUnsafeSlow(64 * 1024);
const ownBytes = 256 * 1024;
/** More connections than this at once do without: 16 MiB in all. */
const maxOwned = 64;
/** A read of no more than this is small, and so many in a row give the buffer back. */
const smallBytes = 16 * 1024;
const maxSmallReads = 32;

let owned = 0;

/**
 * Where a connection's direct reads land: memory that all share or, for one on
 * which much comes in, more memory of its own, which saves system calls and
 * stays as it is while reading is paused.
 */
export class ReadBuffer {
  bytes = sharedBuffer;
  #smallReads = 0;

  get isOwn(): boolean {
    return this.bytes !== sharedBuffer;
  }

  /** Call after each read: a full buffer asks for memory of its own, many small reads give it back. */
  fit(handle: StreamHandle, count: number): void {
    if (!this.isOwn) {
      if (count < sharedBuffer.length || owned >= maxOwned) return;
      owned += 1;
      this.#smallReads = 0;
      this.bytes = Buffer.allocUnsafeSlow(ownBytes);
      handle.useUserBuffer(this.bytes);
    } else if (count > smallBytes) this.#smallReads = 0;
    else {
      this.#smallReads += 1;
      if (this.#smallReads < maxSmallReads) return;
      this.giveBack();
      handle.useUserBuffer(this.bytes);
    }
  }

  /** Others may still be sending from memory that was lent to them, so it is not used again. */
  giveBack(): void {
    if (!this.isOwn) return;
    owned -= 1;
    this.bytes = sharedBuffer;
  }
}
