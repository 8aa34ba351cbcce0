/** Where a line is put together from its pieces. */
export interface LineWriter {
  put(text: string): void;
  /** Text that was encoded before, as UTF-8. */
  putEncoded(text: Uint8Array): void;
  putNumber(value: number): void;
  /** The text as a string of JSON. */
  putQuoted(text: string): void;
}

/** A line that is put together as a string. */
export class TextLine implements LineWriter {
  text = "";

  put(text: string): void {
    this.text += text;
  }

  putEncoded(text: Uint8Array): void {
    this.text += Buffer.from(text).toString();
  }

  putNumber(value: number): void {
    this.text += value;
  }

  putQuoted(text: string): void {
    this.text += JSON.stringify(text);
  }
}
