import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Backoff, type BackoffOptions } from "@weft/base/backoff";
import type { Clock, Timer } from "@weft/base/clock";
import { messageOf } from "@weft/base/errors";
import type { AdsHandler } from "./client/ads-handler.ts";
import type { ClientProtocol, IncomingResponse, Report } from "./client/client-protocol.ts";
import { deltaClient } from "./client/delta-client.ts";
import { ResourceTtl } from "./client/resource-ttl.ts";
import { sotwClient } from "./client/sotw-client.ts";
import { Subscription } from "./client/subscription.ts";
import { type DiscoveryService, servicePath } from "./discovery-service.ts";
import { NodeSchema } from "./gen/envoy/config/core/v3/base_pb.js";
import type { ClientCall } from "./grpc/client-call.ts";
import type { GrpcTarget } from "./grpc/dial.ts";
import { type CallMetadata, GrpcChannel } from "./grpc/grpc-channel.ts";
import { GrpcError, grpcCode } from "./grpc/grpc-status.ts";
import type { LivenessOptions } from "./grpc/liveness.ts";

export type { AdsHandler, ReceivedResource, ResourceUpdate } from "./client/ads-handler.ts";

/** Where the stream to the server stands. */
export type AdsState =
  | { readonly t: "idle" }
  | { readonly t: "connecting" }
  /** The stream is open; `isAnswered` once the server has said anything on it. */
  | { readonly t: "connected"; readonly isAnswered: boolean }
  /** The last attempt failed; the next one comes after `retryMs`. */
  | { readonly t: "waiting"; readonly error: GrpcError; readonly retryMs: number }
  | { readonly t: "closed" };

export interface AdsClientOptions {
  readonly clock: Clock;
  readonly target: GrpcTarget;
  /** Who this client is; asked for at each new stream. */
  readonly node: () => MessageInitShape<typeof NodeSchema>;
  readonly mode: "delta" | "sotw";
  /** Any other than `aggregated` is for a server of that type alone. Default `aggregated`. */
  readonly service?: DiscoveryService;
  readonly handler: AdsHandler;
  readonly onState?: (state: AdsState) => void;
  /** Headers of the stream; asked for at each new stream. */
  readonly metadata?: () => CallMetadata;
  /** Default 250 ms, doubling up to 10 s, with full jitter. */
  readonly backoff?: BackoffOptions;
  /** Largest response. Default 32 MiB. */
  readonly maxMessageBytes?: number;
  readonly liveness?: Partial<LivenessOptions>;
}

const defaultBackoff: BackoffOptions = { baseMs: 250, maxMs: 10_000 };
const maxErrorLength = 8_192;

/**
 * The client side of xDS v3: one stream that keeps itself open and the
 * handler up to date with everything subscribed to.
 *
 * Subscriptions may change at any time, also while there is no stream. After a
 * reconnect a delta client says what it holds and hears only what differs. An
 * update the handler refuses is answered with a NACK and its text.
 */
export class AdsClient {
  readonly #options: AdsClientOptions;
  readonly #protocol: ClientProtocol;
  readonly #channel: GrpcChannel;
  readonly #backoff: Backoff;
  readonly #subscriptions = new Map<string, Subscription>();
  #state: AdsState = { t: "idle" };
  #call: ClientCall | undefined;
  readonly #ttl: ResourceTtl;
  #isFirstRequest = true;
  #retry: Timer | undefined;

  constructor(options: AdsClientOptions) {
    this.#options = options;
    this.#protocol = options.mode === "delta" ? deltaClient : sotwClient;
    this.#backoff = new Backoff(options.backoff ?? defaultBackoff);
    this.#ttl = new ResourceTtl(options.clock, (typeUrl, names) => this.#onExpired(typeUrl, names));
    this.#channel = new GrpcChannel({
      clock: options.clock,
      target: options.target,
      ...(options.maxMessageBytes === undefined ? {} : { maxMessageBytes: options.maxMessageBytes }),
      ...(options.liveness === undefined ? {} : { liveness: options.liveness }),
    });
  }

  get state(): AdsState {
    return this.#state;
  }

  /** Opens the stream. Returns at once; `onState` tells how it goes. */
  start(): void {
    if (this.#state.t === "idle") void this.#connect();
  }

  /** Ends the stream for good. What the handler was given stays in force. */
  close(): void {
    if (this.#state.t === "closed") return;
    this.#setState({ t: "closed" });
    this.#retry?.cancel();
    this.#ttl.close();
    this.#call?.cancel();
    this.#call = undefined;
    this.#channel.close();
  }

  /**
   * Asks for these resources of a type and no others; `"*"` is all there are,
   * with some by name beside them where `also` has any: a server may have more
   * than it gives to who asks for everything. What is no longer asked for is
   * forgotten without telling the handler.
   */
  subscribe(typeUrl: string, names: "*" | Iterable<string>, also: Iterable<string> = []): void {
    let subscription = this.#subscriptions.get(typeUrl);
    if (!subscription) {
      subscription = new Subscription(typeUrl);
      this.#subscriptions.set(typeUrl, subscription);
    }
    const change = subscription.set(names, also);
    if (!this.#call) return;
    const isChanged = change.added.length > 0 || change.removed.length > 0 || change.isWildcardChanged;
    if (!subscription.isOpen) this.#sendFirst(subscription);
    else if (isChanged) this.#sendRequest(this.#protocol.change(subscription, change));
  }

  /**
   * Counts these versions, by name, as accepted: what an earlier run left. The
   * server is told, on a stream that is opened anew for it where one is open,
   * and says what differs and what is gone.
   */
  hold(held: ReadonlyMap<string, ReadonlyMap<string, string>>): void {
    for (const [typeUrl, versions] of held) {
      const subscription = this.#subscriptions.get(typeUrl);
      for (const [name, version] of versions) {
        if (subscription?.covers(name)) subscription.held.set(name, version);
      }
    }
    this.#call?.cancel(new GrpcError(grpcCode.unavailable, "starting anew with what is held"));
  }

  /**
   * Sends a request of a type that is a message rather than a subscription, as
   * `istio.v1.HealthInformation` is, with its text or its names. False when there
   * is no stream: say it again when there is one.
   */
  report(typeUrl: string, said: Report = {}): boolean {
    if (!this.#call) return false;
    this.#sendRequest(this.#protocol.report(typeUrl, said));
    return true;
  }

  /** Moves to a new connection, so that the server sees the certificate of now; a stream that is open ends. */
  reconnect(): void {
    this.#channel.renew();
    this.#call?.cancel(new GrpcError(grpcCode.unavailable, "reconnecting"));
  }

  async #connect(): Promise<void> {
    this.#retry = undefined;
    this.#setState({ t: "connecting" });
    const { service = "aggregated", metadata } = this.#options;
    try {
      let isThisOver = false;
      const call = await this.#channel.open(servicePath(service, this.#protocol.method), metadata?.() ?? [], {
        onMessage: (message) => this.#onMessage(message),
        onEnd: (error) => {
          isThisOver = true;
          this.#onEnd(error);
        },
      });
      if (this.#isClosed || isThisOver) {
        call.cancel();
        return;
      }
      this.#call = call;
    } catch (error) {
      this.#onEnd(error instanceof GrpcError ? error : new GrpcError(grpcCode.unknown, messageOf(error)));
      return;
    }
    this.#isFirstRequest = true;
    this.#setState({ t: "connected", isAnswered: false });
    for (const subscription of this.#subscriptions.values()) {
      subscription.reopen();
      this.#sendFirst(subscription);
    }
  }

  get #isClosed(): boolean {
    return this.#state.t === "closed";
  }

  #onEnd(error = new GrpcError(grpcCode.unavailable, "the server ended the stream")): void {
    this.#call = undefined;
    if (this.#isClosed || this.#retry) return;
    const retryMs = this.#backoff.nextMs();
    // A program that has nothing else to do still waits for its server.
    this.#retry = this.#options.clock.setTimer(() => void this.#connect(), retryMs, { keepAlive: true });
    this.#setState({ t: "waiting", error, retryMs });
  }

  #onMessage(message: Uint8Array): void {
    const response = this.#protocol.parse(message);
    this.#backoff.reset();
    if (this.#state.t === "connected" && !this.#state.isAnswered) {
      this.#setState({ t: "connected", isAnswered: true });
    }
    const subscription = this.#subscriptions.get(response.typeUrl);
    if (!subscription) {
      const refusal = new Subscription(response.typeUrl);
      refusal.nonce = response.nonce;
      this.#sendRequest(this.#protocol.answer(refusal, "this type was not asked for"));
      return;
    }
    subscription.nonce = response.nonce;
    const error = this.#handle(subscription, response);
    if (!this.#call) return;
    this.#sendRequest(this.#protocol.answer(subscription, error?.slice(0, maxErrorLength)));
  }

  /** The text of the NACK, or undefined. */
  #handle(subscription: Subscription, response: IncomingResponse): string | undefined {
    if (response.problem) return response.problem;
    const update = this.#protocol.updateOf(subscription, response);
    let error: string | undefined;
    try {
      error = this.#options.handler.onResources(subscription.typeUrl, update) || undefined;
    } catch (thrown) {
      error = messageOf(thrown) || "refused";
    }
    if (error === undefined) {
      subscription.accept(update);
      this.#ttl.set(subscription.typeUrl, update.added);
      this.#ttl.forget(subscription.typeUrl, update.removed);
      this.#ttl.set(
        subscription.typeUrl,
        response.heartbeats.filter(({ name, version }) => subscription.held.get(name) === version),
      );
    }
    return error;
  }

  /** Their time is over: as if the server had taken them away. */
  #onExpired(typeUrl: string, names: readonly string[]): void {
    const subscription = this.#subscriptions.get(typeUrl);
    const removed = names.filter((name) => subscription?.held.delete(name));
    if (removed.length === 0) return;
    this.#options.handler.onResources(typeUrl, { added: [], removed, version: "" });
  }

  #sendFirst(subscription: Subscription): void {
    if (!subscription.isWanted) return;
    subscription.isOpen = true;
    this.#sendRequest(this.#protocol.first(subscription));
  }

  #sendRequest(request: ReturnType<ClientProtocol["first"]>): void {
    const node = this.#isFirstRequest ? create(NodeSchema, this.#options.node()) : undefined;
    this.#isFirstRequest = false;
    if (node) request.message.node = node;
    this.#call?.send(toBinary(request.schema, request.message));
  }

  #setState(state: AdsState): void {
    this.#state = state;
    this.#options.onState?.(state);
  }
}
