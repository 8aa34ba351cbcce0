import type { ClientHttp2Session } from "node:http2";
import type { MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { create, type DescMessage, type DescMethodUnary, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Clock } from "@weft/base/clock";
import { type CallHandler, ClientCall } from "./client-call.ts";
import { authorityOf, dial, type GrpcTarget } from "./dial.ts";
import { methodPath } from "./grpc-route.ts";
import { GrpcError, grpcCode } from "./grpc-status.ts";
import { Liveness, type LivenessOptions } from "./liveness.ts";

export interface GrpcChannelOptions {
  readonly clock: Clock;
  readonly target: GrpcTarget;
  /** Largest response message. Default 32 MiB. */
  readonly maxMessageBytes?: number;
  /** Default 5 s. */
  readonly connectTimeoutMs?: number;
  readonly liveness?: Partial<LivenessOptions>;
}

/** Headers of one call, e.g. `[["authorization", "Bearer …"]]`. */
export type CallMetadata = readonly (readonly [name: string, value: string])[];

export interface UnaryOptions {
  readonly metadata?: CallMetadata;
  /** Default 10 s. */
  readonly timeoutMs?: number;
}

const defaults = { maxMessageBytes: 32 << 20, connectTimeoutMs: 5_000, unaryTimeoutMs: 10_000 };

/**
 * Calls to one gRPC server over one connection, which is opened with the first
 * call, shared, and opened again by the next call after it was lost. Never
 * retries by itself.
 */
export class GrpcChannel {
  readonly #options: GrpcChannelOptions;
  readonly #liveness: Liveness;
  #session: Promise<ClientHttp2Session> | undefined;
  #isClosed = false;

  constructor(options: GrpcChannelOptions) {
    this.#options = options;
    this.#liveness = new Liveness(options.clock, { intervalMs: 5_000, ...options.liveness });
  }

  /** Opens a call. @throws GrpcError UNAVAILABLE when there is no connection to be had. */
  async open(path: string, metadata: CallMetadata, handler: CallHandler): Promise<ClientCall> {
    const session = await this.#connect();
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      ":authority": authorityOf(this.#options.target),
      "content-type": "application/grpc",
      te: "trailers",
      "user-agent": "weft",
      ...Object.fromEntries(metadata),
    });
    this.#liveness.track(session, stream);
    return new ClientCall(stream, this.#options.maxMessageBytes ?? defaults.maxMessageBytes, handler);
  }

  /** One request, one response. @throws GrpcError with the call's status. */
  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: UnaryOptions = {},
  ): Promise<MessageShape<O>> {
    const timeoutMs = options.timeoutMs ?? defaults.unaryTimeoutMs;
    const metadata = [...(options.metadata ?? []), ["grpc-timeout", `${Math.ceil(timeoutMs)}m`]] as const;
    const { promise, resolve, reject } = Promise.withResolvers<MessageShape<O>>();
    let response: MessageShape<O> | undefined;
    const call = await this.open(methodPath(method), metadata, {
      onMessage: (bytes) => {
        response = fromBinary(method.output, bytes);
      },
      onEnd: (error) => {
        if (error) reject(error);
        else if (response) resolve(response);
        else reject(new GrpcError(grpcCode.internal, "the server answered OK without a message"));
      },
    });
    const timer = this.#options.clock.setTimer(
      () => call.cancel(new GrpcError(grpcCode.deadlineExceeded, `no answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    call.send(toBinary(method.input, create(method.input, request)));
    call.halfClose();
    return promise.finally(() => timer.cancel());
  }

  /** Ends the connection with every call on it. */
  close(): void {
    this.#isClosed = true;
    this.#liveness.destroyAll();
    this.#liveness.stop();
  }

  /** Ends the connection once its calls are over; the next call makes a new one, with the certificate of then. */
  renew(): void {
    this.#session = undefined;
    this.#liveness.closeAll();
  }

  #connect(): Promise<ClientHttp2Session> {
    if (this.#isClosed) return Promise.reject(new GrpcError(grpcCode.cancelled, "the channel is closed"));
    if (!this.#session) {
      const session = this.#dial(() => {
        if (this.#session === session) this.#session = undefined;
      });
      this.#session = session;
    }
    return this.#session;
  }

  async #dial(forget: () => void): Promise<ClientHttp2Session> {
    const { target, clock, connectTimeoutMs } = this.#options;
    let session: ClientHttp2Session;
    try {
      session = await dial(target, clock, connectTimeoutMs ?? defaults.connectTimeoutMs);
    } catch (error) {
      forget();
      throw error;
    }
    if (this.#isClosed) {
      session.destroy();
      throw new GrpcError(grpcCode.cancelled, "the channel is closed");
    }
    this.#liveness.add(session);
    this.#liveness.start();
    session.on("close", forget);
    session.on("goaway", forget);
    return session;
  }
}
