/** Puts a protobuf message together; for the few that a program without a protobuf runtime writes. */
export class ProtobufWriter {
  readonly #parts: Buffer[] = [];

  varint(field: number, value: number): this {
    this.#parts.push(varintBytes(field * 8), varintBytes(value));
    return this;
  }

  /** `sint32` and `sint64`. */
  zigzag(field: number, value: number): this {
    return this.varint(field, zigzagOf(value));
  }

  double(field: number, value: number): this {
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeDoubleLE(value);
    this.#parts.push(varintBytes(field * 8 + 1), bytes);
    return this;
  }

  text(field: number, value: string): this {
    return this.bytes(field, Buffer.from(value, "utf8"));
  }

  bytes(field: number, value: Buffer): this {
    this.#parts.push(varintBytes(field * 8 + 2), varintBytes(value.length), value);
    return this;
  }

  message(field: number, value: ProtobufWriter): this {
    return this.bytes(field, value.finish());
  }

  packedZigzag(field: number, values: readonly number[]): this {
    return this.bytes(field, Buffer.concat(values.map((value) => varintBytes(zigzagOf(value)))));
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

function zigzagOf(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

/** Of a whole number that is not negative and safe. */
export function varintBytes(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}
