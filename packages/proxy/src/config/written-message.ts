import { type DescMessage, fromBinary, type Message, type MessageShape, toBinary } from "@bufbuild/protobuf";

/** What something was decoded from, for those who show it or keep it. */
export interface WrittenMessage {
  /** Encoded. */
  readonly bytes: Uint8Array;
  /** Decoded; whoever asks twice may get two. */
  readonly message: Message;
}

/**
 * A message as it came: kept as its bytes, which take a fraction of the memory of
 * its objects, and decoded when somebody looks. The bytes are copied, so that the
 * response they came in is not kept for one of a thousand resources.
 */
export class ReceivedMessage implements WrittenMessage {
  readonly bytes: Uint8Array;
  readonly #schema: DescMessage;

  constructor(schema: DescMessage, bytes: Uint8Array) {
    this.#schema = schema;
    this.bytes = Buffer.from(bytes);
  }

  get message(): Message {
    return fromBinary(this.#schema, this.bytes);
  }
}

/** A message that is there anyway: part of the bootstrap. */
export class GivenMessage<Schema extends DescMessage> implements WrittenMessage {
  readonly message: MessageShape<Schema>;
  readonly #schema: Schema;

  constructor(schema: Schema, message: MessageShape<Schema>) {
    this.#schema = schema;
    this.message = message;
  }

  get bytes(): Uint8Array {
    return toBinary(this.#schema, this.message);
  }
}
