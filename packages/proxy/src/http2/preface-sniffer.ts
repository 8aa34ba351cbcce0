import type { CloseCause, ConnectionHandler } from "../net/connection-handler.ts";
import { clientPreface } from "./frames.ts";

/** No HTTP/1 request begins like this: its method would be unknown. */
const decisiveBytes = "PRI * HTTP/2.0".length;

/**
 * Decides by a client's first bytes whether it speaks HTTP/2 with prior
 * knowledge. Every byte reaches the codec chosen, however they were cut.
 */
export class PrefaceSniffer implements ConnectionHandler {
  readonly #fallback: ConnectionHandler;
  readonly #choose: (isHttp2: boolean) => ConnectionHandler;
  #matched = 0;

  /** `fallback` hears of a connection that ends undecided; `choose` returns who reads on. */
  constructor(fallback: ConnectionHandler, choose: (isHttp2: boolean) => ConnectionHandler) {
    this.#fallback = fallback;
    this.#choose = choose;
  }

  onRead(bytes: Buffer, start: number, end: number): void {
    const before = this.#matched;
    let at = start;
    while (at < end && this.#matched < decisiveBytes && bytes[at] === clientPreface[this.#matched]) {
      at += 1;
      this.#matched += 1;
    }
    const isHttp2 = this.#matched === decisiveBytes;
    if (!isHttp2 && at === end) return;
    const codec = this.#choose(isHttp2);
    if (before > 0) codec.onRead(clientPreface, 0, before);
    codec.onRead(bytes, start, end);
  }

  onEnd(): void {
    this.#fallback.onEnd();
  }

  onWritable(): void {
    this.#fallback.onWritable();
  }

  onClosed(cause: CloseCause): void {
    this.#fallback.onClosed(cause);
  }
}
