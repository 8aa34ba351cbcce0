/**
 * The application at the end of the chain where it speaks HTTP/2: answers every
 * request with the same bytes on a raw socket, so that it costs little and never
 * is what is measured. Knows as much of RFC 9113 as that needs: it reads no
 * header, grants every window at once, and keeps to the peer's.
 *
 *   node bench/upstream-http2.ts PORT RESPONSE_BYTES http2|grpc
 */
import { createServer, type Socket } from "node:net";

const [portText, bytesText, protocol] = process.argv.slice(2);
const responseBytes = Number(bytesText);
const isGrpc = protocol === "grpc";

const FrameType = { data: 0, headers: 1, settings: 4, ping: 6, windowUpdate: 8 } as const;
const endStream = 1;
const ack = 1;
const endHeaders = 4;
const frameHeadBytes = 9;
const prefaceBytes = 24;
const maxFrameBytes = 16_384;
const largeWindow = 1 << 30;

/** A field without indexing whose name stands in the static table (RFC 7541 §6.2.2 and appendix A). */
function literal(nameIndex: number, value: string): Buffer {
  const head = nameIndex < 15 ? [nameIndex] : [15, nameIndex - 15];
  return Buffer.from([...head, value.length, ...Buffer.from(value)]);
}

function namedLiteral(name: string, value: string): Buffer {
  return Buffer.from([0, name.length, ...Buffer.from(name), value.length, ...Buffer.from(value)]);
}

const status200 = Buffer.from([0x88]);
const responseHead = isGrpc
  ? Buffer.concat([status200, literal(31, "application/grpc")])
  : Buffer.concat([status200, literal(31, "text/plain"), literal(28, String(responseBytes))]);
const trailers = namedLiteral("grpc-status", "0");
/** A gRPC message: uncompressed, its length, its bytes. */
const body = isGrpc
  ? Buffer.concat([
      Buffer.from([0, 0, 0, responseBytes >> 8, responseBytes & 255]),
      Buffer.alloc(responseBytes, "x"),
    ])
  : Buffer.alloc(responseBytes, "x");

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const out = Buffer.allocUnsafe(frameHeadBytes + payload.length);
  out.writeUIntBE(payload.length, 0, 3);
  out[3] = type;
  out[4] = flags;
  out.writeUInt32BE(stream, 5);
  payload.copy(out, frameHeadBytes);
  return out;
}

function uint32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
}

const settings = frame(
  FrameType.settings,
  0,
  0,
  Buffer.concat([Buffer.from([0, 4]), uint32(largeWindow), Buffer.from([0, 3]), uint32(1_000)]),
);
const settingsAck = frame(FrameType.settings, ack, 0, Buffer.alloc(0));

class Peer {
  readonly #socket: Socket;
  #rest: Buffer = Buffer.alloc(0);
  #hasPreface = false;
  #out: Buffer[] = [];
  #connectionWindow = 65_535;
  #initialWindow = 65_535;
  /** Streams whose body waits for window: how much was sent, and what the stream's window still allows. */
  readonly #waiting = new Map<number, { sent: number; window: number }>();

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk) => this.#read(chunk));
    socket.write(settings);
    socket.write(frame(FrameType.windowUpdate, 0, 0, uint32(largeWindow)));
  }

  #read(chunk: Buffer): void {
    const data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    let at = 0;
    if (!this.#hasPreface) {
      if (data.length < prefaceBytes) {
        this.#rest = data;
        return;
      }
      this.#hasPreface = true;
      at = prefaceBytes;
    }
    while (data.length - at >= frameHeadBytes) {
      const length = data.readUIntBE(at, 3);
      if (data.length - at - frameHeadBytes < length) break;
      const stream = data.readUInt32BE(at + 5) & 0x7fffffff;
      this.#onFrame(
        data[at + 3]!,
        data[at + 4]!,
        stream,
        data.subarray(at + frameHeadBytes, at + frameHeadBytes + length),
      );
      at += frameHeadBytes + length;
    }
    this.#rest = data.subarray(at);
    if (this.#out.length > 0)
      this.#socket.write(this.#out.length === 1 ? this.#out[0]! : Buffer.concat(this.#out));
    this.#out = [];
  }

  #onFrame(type: number, flags: number, stream: number, payload: Buffer): void {
    if (type === FrameType.settings && (flags & ack) === 0) {
      for (let i = 0; i + 6 <= payload.length; i += 6) {
        if (payload.readUInt16BE(i) === 4) this.#initialWindow = payload.readUInt32BE(i + 2);
      }
      this.#out.push(settingsAck);
    } else if (type === FrameType.ping && (flags & ack) === 0) {
      this.#out.push(frame(FrameType.ping, ack, 0, payload));
    } else if (type === FrameType.windowUpdate) this.#grant(stream, payload.readUInt32BE(0));
    else if (type === FrameType.data || type === FrameType.headers) {
      if (type === FrameType.data && payload.length > 0) {
        this.#out.push(frame(FrameType.windowUpdate, 0, 0, uint32(payload.length)));
      }
      if ((flags & endStream) !== 0) this.#respond(stream);
    }
  }

  #respond(stream: number): void {
    this.#out.push(frame(FrameType.headers, endHeaders, stream, responseHead));
    this.#waiting.set(stream, { sent: 0, window: this.#initialWindow });
    this.#send(stream);
  }

  #grant(stream: number, increment: number): void {
    if (stream !== 0) {
      const waiting = this.#waiting.get(stream);
      if (!waiting) return;
      waiting.window += increment;
      this.#send(stream);
      return;
    }
    this.#connectionWindow += increment;
    for (const waiting of this.#waiting.keys()) this.#send(waiting);
  }

  #send(stream: number): void {
    const waiting = this.#waiting.get(stream)!;
    while (waiting.sent < body.length) {
      const count = Math.min(
        body.length - waiting.sent,
        maxFrameBytes,
        waiting.window,
        this.#connectionWindow,
      );
      if (count <= 0) return;
      const isLast = waiting.sent + count === body.length;
      const flags = isLast && !isGrpc ? endStream : 0;
      this.#out.push(frame(FrameType.data, flags, stream, body.subarray(waiting.sent, waiting.sent + count)));
      waiting.sent += count;
      waiting.window -= count;
      this.#connectionWindow -= count;
    }
    this.#waiting.delete(stream);
    if (isGrpc) this.#out.push(frame(FrameType.headers, endHeaders | endStream, stream, trailers));
  }
}

const server = createServer({ noDelay: true }, (socket) => void new Peer(socket));
server.listen(Number(portText), "127.0.0.1", () => process.send?.("listening"));
process.on("disconnect", () => process.exit(0));
