import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { systemClock } from "@weft/base/clock";
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
  type DiscoveryRequest,
  DiscoveryRequestSchema,
  type DiscoveryResponse,
  DiscoveryResponseSchema,
} from "@weft/xds/gen/envoy/service/discovery/v3/discovery_pb";
import type { ClientCall } from "@weft/xds/grpc/client-call";
import { GrpcChannel } from "@weft/xds/grpc/grpc-channel";
import type { GrpcError } from "@weft/xds/grpc/grpc-status";

const service = "/envoy.service.discovery.v3.AggregatedDiscoveryService";
/** Fields of a delta request. */
export type DeltaFields = Exclude<
  MessageInitShape<typeof DeltaDiscoveryRequestSchema>,
  DeltaDiscoveryRequest
>;
type SotwFields = Exclude<MessageInitShape<typeof DiscoveryRequestSchema>, DiscoveryRequest>;

/** What a test that waits this long has failed. */
const patienceMs = 10_000;
/** Silence of this long is taken for nothing to come: a server that looped would have spoken many times. */
const silenceMs = 150;

/** A client that says exactly what a scenario says, and hears exactly what came. */
export class Stream<Response> {
  readonly #channel: GrpcChannel;
  readonly #decode: (bytes: Uint8Array) => Response;
  readonly #received: Response[] = [];
  #call: ClientCall | undefined;
  #ended: { readonly error: GrpcError | undefined } | undefined;
  #wake = () => {};

  private constructor(port: number, decode: (bytes: Uint8Array) => Response) {
    this.#channel = new GrpcChannel({
      clock: systemClock,
      target: { address: { host: "127.0.0.1", port } },
    });
    this.#decode = decode;
  }

  static async delta(port: number): Promise<Stream<DeltaDiscoveryResponse>> {
    const stream = new Stream(port, (bytes) => fromBinary(DeltaDiscoveryResponseSchema, bytes));
    await stream.#open("DeltaAggregatedResources");
    return stream;
  }

  static async sotw(port: number): Promise<Stream<DiscoveryResponse>> {
    const stream = new Stream(port, (bytes) => fromBinary(DiscoveryResponseSchema, bytes));
    await stream.#open("StreamAggregatedResources");
    return stream;
  }

  async #open(method: string): Promise<void> {
    this.#call = await this.#channel.open(`${service}/${method}`, [], {
      onMessage: (bytes) => {
        this.#received.push(this.#decode(bytes));
        this.#wake();
      },
      onEnd: (error) => {
        this.#ended = { error };
        this.#wake();
      },
    });
  }

  sendDelta(request: DeltaFields): void {
    this.sendBytes(toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, request)));
  }

  sendSotw(request: SotwFields): void {
    this.sendBytes(toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, request)));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#call!.send(bytes);
  }

  async next(): Promise<Response> {
    await this.#until(() => this.#received.length > 0 || this.#ended !== undefined);
    const response = this.#received.shift();
    if (!response) throw this.#ended?.error ?? new Error("the stream ended");
    return response;
  }

  /** The error that the server ends the stream with. */
  async end(): Promise<GrpcError | undefined> {
    await this.#until(() => this.#ended !== undefined);
    return this.#ended!.error;
  }

  /** Throws when anything comes. */
  async silence(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, silenceMs));
    if (this.#received.length > 0) throw new Error(`unexpected: ${String(this.#received[0])}`);
  }

  close(): void {
    this.#channel.close();
  }

  #until(isTrue: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("nothing came")), patienceMs);
      this.#wake = () => {
        if (!isTrue()) return;
        clearTimeout(timer);
        resolve();
      };
      this.#wake();
    });
  }
}
