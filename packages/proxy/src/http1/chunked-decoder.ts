import type { HeaderList } from "../layer/header-list.ts";
import { latin1 } from "../net/latin1.ts";
import { type HeadLimits, parseTrailers } from "./head.ts";

/** Receives a decoded chunked body. */
export interface ChunkedSink {
  onBodyData(chunk: Buffer): void;
}

type State =
  | "size"
  | "extension"
  | "size-lf"
  | "data"
  | "data-cr"
  | "data-lf"
  | "trailers"
  | "done"
  | "failed";

/** Extensions mean nothing to us, but they may not be an endless stream either. */
const maxExtensionBytes = 4096;
const maxSizeDigits = 13;

/**
 * Decodes `transfer-encoding: chunked` from pieces cut anywhere, strictly: CRLF
 * only, hexadecimal sizes only, bounded extensions and trailers.
 *
 * @see RFC 9112 §7.1
 */
export class ChunkedDecoder {
  trailers: HeaderList | undefined;
  readonly #limits: HeadLimits;
  #state: State = "size";
  #size = 0;
  #digits = 0;
  #extensionBytes = 0;
  #trailerText = "";

  constructor(limits: HeadLimits) {
    this.#limits = limits;
  }

  get isDone(): boolean {
    return this.#state === "done";
  }

  get hasFailed(): boolean {
    return this.#state === "failed";
  }

  /** Consumes from `bytes[start, end)`; returns where the body ended, or `end`. Stops at the first error. */
  decode(bytes: Buffer, start: number, end: number, sink: ChunkedSink): number {
    let at = start;
    while (at < end && this.#state !== "done" && this.#state !== "failed") {
      switch (this.#state) {
        case "data": {
          const count = Math.min(this.#size, end - at);
          sink.onBodyData(bytes.subarray(at, at + count));
          at += count;
          this.#size -= count;
          if (this.#size === 0) this.#state = "data-cr";
          break;
        }
        case "trailers":
          at = this.#readTrailers(bytes, at, end);
          break;
        default:
          this.#step(bytes[at]!);
          at += 1;
      }
    }
    return at;
  }

  #step(byte: number): void {
    switch (this.#state) {
      case "size":
        this.#sizeByte(byte);
        break;
      case "extension":
        this.#extensionBytes += 1;
        if (byte === 13) this.#state = "size-lf";
        else if ((byte < 32 && byte !== 9) || byte === 127 || this.#extensionBytes > maxExtensionBytes)
          this.#fail();
        break;
      case "size-lf":
        if (byte !== 10) this.#fail();
        else this.#state = this.#size === 0 ? "trailers" : "data";
        break;
      case "data-cr":
        if (byte !== 13) this.#fail();
        else this.#state = "data-lf";
        break;
      case "data-lf":
        if (byte !== 10) this.#fail();
        else {
          this.#state = "size";
          this.#digits = 0;
          this.#size = 0;
        }
        break;
      default:
        this.#fail();
    }
  }

  #sizeByte(byte: number): void {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      this.#digits += 1;
      this.#size = this.#size * 16 + digit;
      if (this.#digits > maxSizeDigits) this.#fail();
    } else if (this.#digits === 0) this.#fail();
    else if (byte === 13) this.#state = "size-lf";
    else if (byte === 59) this.#state = "extension";
    else this.#fail();
  }

  #readTrailers(bytes: Buffer, start: number, end: number): number {
    const before = this.#trailerText.length;
    this.#trailerText += latin1(bytes, start, Math.min(end, start + this.#limits.maxBytes + 4));
    const text = this.#trailerText;
    if (text.startsWith("\r\n")) {
      this.#state = "done";
      return start + 2 - before;
    }
    const found = text.indexOf("\r\n\r\n");
    if (found < 0) {
      if (text.length > this.#limits.maxBytes || /[^\r]\n|\r[^\n]/.test(text)) this.#fail();
      return end;
    }
    const trailers = parseTrailers(text.slice(0, found), this.#limits);
    if ("details" in trailers) {
      this.#fail();
      return end;
    }
    this.trailers = trailers;
    this.#state = "done";
    return start + found + 4 - before;
  }

  #fail(): void {
    this.#state = "failed";
  }
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
