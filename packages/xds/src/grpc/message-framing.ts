import { GrpcError, grpcCode } from "./grpc-status.ts";

const prefixBytes = 5;

/** One length-prefixed message: flag 0, length, bytes. */
export function frameMessage(message: Uint8Array): Buffer {
  return Buffer.concat(frameParts([message]));
}

/** One message in parts: flag 0 and the length of all, then the parts as they are. */
export function frameParts(parts: readonly Uint8Array[]): readonly Uint8Array[] {
  let length = 0;
  for (const part of parts) length += part.length;
  const prefix = Buffer.allocUnsafe(prefixBytes);
  prefix[0] = 0;
  prefix.writeUInt32BE(length, 1);
  return [prefix, ...parts];
}

/**
 * Cuts a gRPC body into messages, however the network cut it into chunks.
 *
 * Holds at most one message; one announced to be larger than the limit is
 * refused before its bytes are waited for.
 */
export class MessageReader {
  readonly #maxMessageBytes: number;
  readonly #onMessage: (message: Uint8Array) => void;
  #chunks: Buffer[] = [];
  #buffered = 0;
  /** Bytes to wait for before looking again: a prefix, or a prefix with its message. */
  #needed = prefixBytes;

  constructor(maxMessageBytes: number, onMessage: (message: Uint8Array) => void) {
    this.#maxMessageBytes = maxMessageBytes;
    this.#onMessage = onMessage;
  }

  /** True between messages: a body that ends elsewhere was cut off. */
  get isAtBoundary(): boolean {
    return this.#buffered === 0;
  }

  /** @throws GrpcError for a message that is too large or compressed. */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    if (this.#buffered < this.#needed) return;
    let bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#buffered);
    this.#needed = prefixBytes;
    while (bytes.length >= prefixBytes) {
      const length = this.#checkedLength(bytes);
      if (bytes.length < prefixBytes + length) {
        this.#needed = prefixBytes + length;
        break;
      }
      this.#onMessage(bytes.subarray(prefixBytes, prefixBytes + length));
      bytes = bytes.subarray(prefixBytes + length);
    }
    this.#chunks = bytes.length > 0 ? [bytes] : [];
    this.#buffered = bytes.length;
  }

  #checkedLength(bytes: Buffer): number {
    if (bytes[0] !== 0) {
      throw new GrpcError(
        grpcCode.unimplemented,
        "compressed messages are not supported: send them as identity",
      );
    }
    const length = bytes.readUInt32BE(1);
    if (length > this.#maxMessageBytes) {
      throw new GrpcError(
        grpcCode.resourceExhausted,
        `a message of ${length} bytes exceeds the limit of ${this.#maxMessageBytes} bytes`,
      );
    }
    return length;
  }
}
