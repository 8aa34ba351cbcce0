/** Where a line is put together from its pieces. */
export interface LineWriter {
  put(text: string): void;
}

/** Up to here a loop is faster than a call into the runtime. */
const loopLength = 24;
/** UTF-8 takes at most three bytes for each unit of a string. */
const maxBytesPerUnit = 3;

/**
 * Lines gathered as UTF-8, piece by piece: no line exists as a string, whose
 * pieces would be as many objects that live until their batch is written.
 */
export class LogBuffer implements LineWriter {
  bytes: Buffer;
  length = 0;

  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafeSlow(capacity);
  }

  put(text: string): void {
    const units = text.length;
    const at = this.length;
    if (at + units * maxBytesPerUnit > this.bytes.length) this.#grow(at + units * maxBytesPerUnit);
    const { bytes } = this;
    if (units > loopLength) {
      this.length = at + bytes.write(text, at, "utf8");
      return;
    }
    for (let i = 0; i < units; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) {
        this.length = at + bytes.write(text, at, "utf8");
        return;
      }
      bytes[at + i] = unit;
    }
    this.length = at + units;
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.bytes.length));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }
}
