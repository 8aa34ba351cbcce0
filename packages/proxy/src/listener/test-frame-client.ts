import net, { type Socket } from "node:net";
import { clientPreface, ErrorCode, FrameType, frameHeadBytes, writeFrameHead } from "../http2/frames.ts";
import { HpackDecoder } from "../http2/hpack-decoder.ts";
import { HpackEncoder } from "../http2/hpack-encoder.ts";

/** A frame with any payload, valid or not. */
export function frame(type: number, flags: number, streamId: number, payload: Buffer | string = ""): Buffer {
  const body = typeof payload === "string" ? Buffer.from(payload, "latin1") : payload;
  const head = Buffer.alloc(frameHeadBytes);
  writeFrameHead(head, 0, body.length, type, flags, streamId);
  return Buffer.concat([head, body]);
}

export function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => {
    bytes.writeUInt32BE(value, i * 4);
  });
  return bytes;
}

/** A header block that leaves the table alone. */
export function block(...flat: string[]): Buffer {
  const encoder = new HpackEncoder();
  encoder.setPeerTableSize(0);
  encoder.begin(0);
  for (let i = 0; i < flat.length; i += 2) encoder.field(flat[i]!, flat[i + 1]!);
  return Buffer.from(encoder.finish());
}

export const settings = frame(FrameType.Settings, 0, 0);

export function request(method = "GET", ...more: string[]): Buffer {
  return block(":method", method, ":scheme", "http", ":path", "/", ":authority", "x", ...more);
}

/** What a server sent, one line per frame, SETTINGS left out: `headers 1 end :status=200 …`, `data 1 end abc`, `goaway 1 0`. */
export class FrameClient {
  readonly socket: Socket;
  readonly lines: string[] = [];
  isClosed = false;
  readonly #decoder = new HpackDecoder({ maxBytes: 1 << 20, maxCount: 1000 }, 4096);
  #bytes: Buffer = Buffer.alloc(0);
  #changed: () => void = () => {};

  constructor(port: number) {
    this.socket = net.connect(port, "127.0.0.1");
    this.socket.on("error", () => {});
    this.socket.on("data", (chunk: Buffer) => this.#read(chunk));
    this.socket.on("close", () => {
      this.isClosed = true;
      this.#changed();
    });
  }

  /** Preface and SETTINGS first, then the frames given. */
  open(...frames: Buffer[]): this {
    return this.send(clientPreface, settings, ...frames);
  }

  send(...frames: Buffer[]): this {
    this.socket.write(Buffer.concat(frames));
    return this;
  }

  async until(pattern: RegExp): Promise<string> {
    for (;;) {
      const line = this.lines.find((candidate) => pattern.test(candidate));
      if (line !== undefined) return line;
      if (this.isClosed) throw new Error(`closed without ${pattern} after\n${this.lines.join("\n")}`);
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  async untilClosed(): Promise<void> {
    while (!this.isClosed) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  close(): void {
    this.socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (this.#bytes.length >= frameHeadBytes) {
      const length = this.#bytes.readUIntBE(0, 3);
      if (this.#bytes.length < frameHeadBytes + length) break;
      const line = this.#describe(this.#bytes, length);
      if (line !== "") this.lines.push(line);
      this.#bytes = this.#bytes.subarray(frameHeadBytes + length);
    }
    this.#changed();
  }

  #describe(bytes: Buffer, length: number): string {
    const flags = bytes[4]!;
    const id = bytes.readUInt32BE(5);
    const payload = bytes.subarray(frameHeadBytes, frameHeadBytes + length);
    const end = flags & 1 ? " end" : "";
    switch (bytes[3]) {
      case FrameType.Data:
        return `data ${id}${end} ${payload.toString("latin1")}`;
      case FrameType.Headers: {
        const flat: string[] = [];
        this.#decoder.decode(payload, 0, length, flat);
        const fields = flat.map((text, i) => (i % 2 === 0 ? ` ${text}=` : text)).join("");
        return `headers ${id}${end}${fields}`;
      }
      case FrameType.RstStream:
        return `reset ${id} ${nameOf(payload.readUInt32BE(0))}`;
      case FrameType.Goaway:
        return `goaway ${payload.readUInt32BE(0)} ${nameOf(payload.readUInt32BE(4))}`;
      case FrameType.WindowUpdate:
        return `window ${id} ${payload.readUInt32BE(0)}`;
      case FrameType.Ping:
        return `ping${end} ${payload.toString("hex")}`;
      default:
        return "";
    }
  }
}

function nameOf(code: number): string {
  return Object.entries(ErrorCode).find(([, value]) => value === code)?.[0] ?? `${code}`;
}
