import type { BodySink, BodyStage } from "../layer/body-stage.ts";
import type { FilterExchange } from "../layer/filter-exchange.ts";
import type { HeaderList } from "../layer/header-list.ts";
import type { HttpFilter } from "../layer/http-filter.ts";

/** How a client of gRPC-Web writes bodies: as gRPC does, or in base64. */
type Form = "binary" | "text";

/** What each direction of a gRPC-Web exchange is written in. */
interface Forms {
  readonly request: Form;
  readonly response: Form;
}

const types: Readonly<Record<string, Form>> = {
  "application/grpc-web": "binary",
  "application/grpc-web+proto": "binary",
  "application/grpc-web-text": "text",
  "application/grpc-web-text+proto": "text",
};
const answerTypes: Readonly<Record<Form, string>> = {
  binary: "application/grpc-web+proto",
  text: "application/grpc-web-text+proto",
};
const frameHeadBytes = 5;
const trailersFrame = 0x80;
const nothing = Buffer.alloc(0);

/**
 * Lets browsers call gRPC services: their requests go on as gRPC, and the
 * trailers of the answers, which browsers cannot read, come as a last frame of
 * the body.
 *
 * @see envoy.extensions.filters.http.grpc_web.v3.GrpcWeb
 * @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md
 */
export function createGrpcWebFilter(name: string): HttpFilter {
  return {
    name,
    onRequest(exchange) {
      const { headers } = exchange.request!;
      const form = types[headers.get("content-type") ?? ""];
      if (form === undefined) return "continue";
      const forms: Forms = { request: form, response: types[headers.get("accept") ?? ""] ?? "binary" };
      exchange.filterState ??= new Map();
      exchange.filterState.set(name, forms);
      headers.set("content-type", "application/grpc");
      headers.remove("content-length");
      headers.set("te", "trailers");
      headers.set("grpc-accept-encoding", "identity");
      if (form === "text") exchange.addRequestStage(new Base64Reader(exchange));
      return "continue";
    },
    onResponse(exchange, end) {
      const forms = exchange.filterState?.get(name) as Forms | undefined;
      const { status, headers } = exchange.response!;
      const isGrpc = headers.get("content-type")?.startsWith("application/grpc") === true;
      // What is no gRPC a client of gRPC-Web judges by its status.
      if (!forms || status !== 200 || !isGrpc) return "continue";
      headers.set("content-type", answerTypes[forms.response]);
      headers.remove("content-length");
      if (!end) exchange.addResponseStage(new FrameWriter(forms.response === "text"));
      return "continue";
    },
  };
}

/** Decodes base64 cut anywhere; each message may have padding of its own. */
class Base64Reader implements BodyStage {
  next!: BodySink;
  readonly #exchange: FilterExchange;
  #rest = "";
  #hasFailed = false;

  constructor(exchange: FilterExchange) {
    this.#exchange = exchange;
  }

  onData(chunk: Buffer, end: boolean): void {
    if (this.#hasFailed) return;
    const text = this.#rest + chunk.toString("latin1");
    const usable = text.length - (text.length % 4);
    this.#rest = text.slice(usable);
    const bytes = decodeBase64(text.slice(0, usable));
    if (!bytes) this.#fail("invalid base64 data.", "grpc_base_64_decode_failed");
    else if (end && this.#rest !== "") {
      this.#fail("invalid base64 data.", "grpc_base_64_decode_failed_bad_size");
    } else if (bytes.length > 0 || end) this.next.onData(bytes, end);
  }

  onTrailers(trailers: HeaderList): void {
    if (!this.#hasFailed) this.next.onTrailers(trailers);
  }

  #fail(what: string, details: string): void {
    this.#hasFailed = true;
    this.#exchange.reply(400, `Bad gRPC-web request, ${what}`, details);
  }
}

const groups = /^(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)*$/;

/** Whole groups of four, with padding at the end of any of them; undefined when it is not base64. */
function decodeBase64(text: string): Buffer | undefined {
  if (!groups.test(text)) return undefined;
  if (!text.includes("=")) return Buffer.from(text, "base64");
  const parts = text.match(/[^=]+=*/g) ?? [];
  return Buffer.concat(parts.map((part) => Buffer.from(part, "base64")));
}

/** Adds trailers as a frame, and writes each frame in base64 where the client wants that. */
class FrameWriter implements BodyStage {
  next!: BodySink;
  readonly #isText: boolean;
  /** Octets of the frame's head seen so far, and then what is left of its message. */
  readonly #head = Buffer.alloc(frameHeadBytes);
  #headBytes = 0;
  #left = 0;
  /** Fewer than three octets that wait to become a group. */
  #pending = nothing;

  constructor(isText: boolean) {
    this.#isText = isText;
  }

  onData(chunk: Buffer, end: boolean): void {
    if (!this.#isText) {
      this.next.onData(chunk, end);
      return;
    }
    const text = this.#encode(chunk) + (end ? this.#flush() : "");
    if (text !== "" || end) this.next.onData(Buffer.from(text, "latin1"), end);
  }

  onTrailers(trailers: HeaderList): void {
    const { flat } = trailers;
    let lines = "";
    for (let i = 0; i < flat.length; i += 2) lines += `${flat[i]}:${flat[i + 1]}\r\n`;
    const frame = Buffer.alloc(frameHeadBytes + lines.length);
    frame[0] = trailersFrame;
    frame.writeUInt32BE(lines.length, 1);
    frame.write(lines, frameHeadBytes, "latin1");
    if (this.#isText) {
      this.next.onData(Buffer.from(this.#flush() + frame.toString("base64"), "latin1"), true);
    } else this.next.onData(frame, true);
  }

  /** Groups of three octets at once, and what remains at the end of each frame: a client can use every frame when it has come. */
  #encode(chunk: Buffer): string {
    let text = "";
    let at = 0;
    while (at < chunk.length) {
      const from = at;
      while (this.#left === 0 && this.#headBytes < frameHeadBytes && at < chunk.length) {
        this.#head[this.#headBytes++] = chunk[at++]!;
        if (this.#headBytes === frameHeadBytes) this.#left = this.#head.readUInt32BE(1);
      }
      const count = this.#headBytes === frameHeadBytes ? Math.min(this.#left, chunk.length - at) : 0;
      at += count;
      this.#left -= count;
      text += this.#group(chunk.subarray(from, at));
      if (this.#headBytes === frameHeadBytes && this.#left === 0) {
        text += this.#flush();
        this.#headBytes = 0;
      }
    }
    return text;
  }

  #group(bytes: Buffer): string {
    const all = this.#pending.length > 0 ? Buffer.concat([this.#pending, bytes]) : bytes;
    const whole = all.length - (all.length % 3);
    this.#pending = whole === all.length ? nothing : Buffer.from(all.subarray(whole));
    return all.toString("base64", 0, whole);
  }

  #flush(): string {
    const text = this.#pending.toString("base64");
    this.#pending = nothing;
    return text;
  }
}
