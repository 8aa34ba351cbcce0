import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Case } from "./case.ts";
import { describeMessage, type Http1Message, readMessage } from "./http1-message.ts";
import { clientTlsOptions } from "./identities.ts";

/** Long enough for any timer of a case; a proxy that is silent for so long hangs. */
const patienceMs = 10_000;
const probe = "GET /probe HTTP/1.1\r\nhost: probe\r\n\r\n";

/**
 * Sends a case's bytes on a fresh connection and reads what comes back, then
 * finds out whether the connection lives on by asking something else on it.
 */
export async function exchangeHttp1(one: Case, port: number): Promise<string> {
  const client = new Http1Client(port, one);
  try {
    return await client.run();
  } finally {
    await client.close();
  }
}

class Http1Client {
  readonly #one: Case;
  readonly #socket: Socket;
  /** Whether the answer to the n-th request is without body by its method. */
  readonly #isHead: readonly boolean[];
  #text = "";
  #hasEnded = false;
  #changed = () => {};

  constructor(port: number, one: Case) {
    this.#one = one;
    const methods = one.pieces.join("").matchAll(/^([A-Za-z-]+) [^\r\n]*HTTP\/\d/gm);
    this.#isHead = [...methods].map(([, method]) => method === "HEAD");
    const target = { port, host: "127.0.0.1", allowHalfOpen: true };
    this.#socket =
      one.tls === "none" ? connect(target) : connectTls({ ...target, ...clientTlsOptions(one.tls) });
    this.#socket.on("data", (chunk) => {
      this.#text += chunk.toString("latin1");
      this.#changed();
    });
    const ended = () => {
      this.#hasEnded = true;
      this.#changed();
    };
    this.#socket.on("end", ended);
    this.#socket.on("close", ended);
    this.#socket.on("error", ended);
  }

  async run(): Promise<string> {
    const [first = "", ...rest] = this.#one.pieces;
    this.#send(first);
    for (const piece of rest) {
      const before = this.#text.length;
      await this.#wait(() => this.#text.length > before);
      this.#send(piece);
    }
    const { until, awaitsClose } = this.#one;
    if (awaitsClose) await this.#wait(() => false);
    else if (until !== undefined) await this.#wait(() => this.#text.includes(until));
    else await this.#wait(() => this.#messages().isComplete);
    const { lines, isComplete, end, closes } = this.#messages();
    const rest1 = this.#text.slice(end);
    if (rest1 !== "") lines.push(`(rest) ${JSON.stringify(rest1)}`);
    if (this.#hasEnded) return [...lines, "connection closed"].join("\n\n");
    if (until !== undefined) return [...lines, "connection open"].join("\n\n");
    if (!isComplete) return [...lines, "nothing more came"].join("\n\n");
    return [...lines, closes ? await this.#afterClose() : await this.#probe()].join("\n\n");
  }

  async close(): Promise<void> {
    this.#socket.end();
    if (!this.#socket.destroyed) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => {
          this.#socket.destroy();
          resolve();
        }, patienceMs);
        this.#socket.once("close", () => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  #send(bytes: string): void {
    if (this.#socket.writable) this.#socket.write(Buffer.from(bytes, "latin1"));
  }

  async #afterClose(): Promise<string> {
    await this.#wait(() => false);
    return this.#hasEnded ? "connection closed" : "connection announced closed, yet open";
  }

  async #probe(): Promise<string> {
    const before = this.#text.length;
    this.#send(probe);
    await this.#wait(() => this.#text.length > before);
    return this.#text.length > before ? "connection kept" : "connection closed";
  }

  /** The final answers there are so far; a 1xx before one belongs to it. */
  #messages(): {
    readonly lines: string[];
    readonly isComplete: boolean;
    readonly closes: boolean;
    readonly end: number;
  } {
    const lines: string[] = [];
    const wanted = this.#one.answerCount ?? Math.max(1, this.#isHead.length);
    let end = 0;
    let finals = 0;
    let last: Http1Message | undefined;
    while (finals < wanted) {
      const message = readMessage(this.#text, end, {
        isBodiless: this.#isHead[finals] === true,
        hasEnded: this.#hasEnded,
      });
      if (!message) break;
      lines.push(describeMessage(message));
      end = message.end;
      last = message;
      if (!/^HTTP\/1\.\d 1(?!01)/.test(message.startLine)) finals += 1;
    }
    const closes = last?.fields.some((line) => /^connection: *close$/i.test(line)) === true;
    return { lines, isComplete: finals >= wanted || closes, closes, end };
  }

  async #wait(isThere: () => boolean): Promise<void> {
    const deadline = performance.now() + patienceMs;
    while (!isThere() && !this.#hasEnded) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#changed = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}
