import type { Clock } from "@weft/base/clock";
import type { CallListener } from "../grpc/call-listener.ts";
import type { GrpcPeer } from "../grpc/grpc-peer.ts";
import { GrpcError, grpcCode } from "../grpc/grpc-status.ts";
import type { Asked, Snapshot } from "../snapshot.ts";
import { type AdsNode, adsNodeOf } from "./ads-node.ts";
import type { AdsProtocol, ParsedRequest } from "./protocol.ts";
import { type PushStep, pushSteps } from "./push-order.ts";
import { type SendBudget, type Spender, smallResponseBytes } from "./send-budget.ts";
import { TypeState, type TypeStatus } from "./type-state.ts";

/** A request of a type that is a message to the server rather than a subscription. */
export interface CustomRequest {
  readonly typeUrl: string;
  /** The text of `error_detail`; undefined when there is none. */
  readonly error: string | undefined;
  /** Of resources: what the message is about. */
  readonly names: readonly string[];
}

/**
 * What keeps a client from hearing the newest state at once: it answered to
 * another response than the newest, the next one waits for its answer, that
 * answer did not come in time so that the next one goes out, or it does not
 * read what it is sent and is let go.
 */
export type DeliveryTrouble = "stale nonce" | "held back" | "overdue" | "not read";

/** What the owner of a server wants to know. None may throw. */
export interface AdsEvents {
  /** A client's first request was admitted. The moment to give it a snapshot. */
  onConnected(session: AdsSession): void;
  /** Exactly once for each `onConnected`. */
  onDisconnected(session: AdsSession): void;
  /** A response was written, of so many bytes. */
  onSent?(session: AdsSession, typeUrl: string, bytes: number): void;
  /** @param typeUrl undefined: all of the stream */
  onTrouble?(session: AdsSession, typeUrl: string | undefined, trouble: DeliveryTrouble): void;
  onAck?(session: AdsSession, typeUrl: string): void;
  onNack?(session: AdsSession, typeUrl: string, error: string): void;
  /** The client has answered everything there was to tell of its newest snapshot. */
  onSettled?(session: AdsSession): void;
  onCustomRequest?(session: AdsSession, request: CustomRequest): void;
}

/** What a session needs of its call. */
export interface SessionCall {
  readonly peer: GrpcPeer;
  readonly isWritable: boolean;
  accept(): void;
  /** One message in parts, which nobody writes to any more. */
  sendParts(parts: readonly Uint8Array[]): void;
  end(): void;
  fail(error: unknown): void;
}

export interface SessionOptions {
  readonly id: number;
  readonly clock: Clock;
  readonly call: SessionCall;
  readonly protocol: AdsProtocol;
  readonly events: AdsEvents;
  readonly customTypes: ReadonlySet<string>;
  /** The only type of a per-type service; undefined for ADS. */
  readonly onlyType: string | undefined;
  readonly ackTimeoutMs: number;
  /** Of all clients of the server. */
  readonly budget: SendBudget;
  /** @throws GrpcError to refuse. */
  admit(node: AdsNode, peer: GrpcPeer): void;
  onOver(session: AdsSession): void;
}

const maxTypes = 32;
/** A client that has not read what was sent for this long is let go. */
const maxStallMs = 30_000;
const maxNames = 50_000;

/**
 * One client's stream. Tells it, in make-before-break order, how its newest
 * snapshot differs from what it holds.
 *
 * At most one response per type is unanswered, and nothing is written while the
 * client does not read: a slow client costs one response and hears later only
 * of the newest state. What refers to something waits until the client has
 * answered for that; nothing else waits, since a client may answer for its
 * clusters only once it has their endpoints.
 */
export class AdsSession implements CallListener, Spender {
  readonly id: number;
  readonly connectedMs: number;
  readonly #options: SessionOptions;
  readonly #types = new Map<string, TypeState>();
  /** Of a push to the types asked for. */
  #steps: readonly PushStep[] = [];
  #node: AdsNode | undefined;
  #snapshot: Snapshot | undefined;
  #settled: Snapshot | undefined;
  #nonce = 0;
  #isOver = false;
  #stalledSinceMs: number | undefined;

  constructor(options: SessionOptions) {
    this.id = options.id;
    this.connectedMs = options.clock.now();
    this.#options = options;
  }

  /** What the first request said. Only for sessions `onConnected` was told of. */
  get node(): AdsNode {
    if (!this.#node) throw new Error("this session is not admitted yet");
    return this.#node;
  }

  get peer(): GrpcPeer {
    return this.#options.call.peer;
  }

  get protocol(): "sotw" | "delta" {
    return this.#options.protocol.name;
  }

  get isAdmitted(): boolean {
    return this.#node !== undefined;
  }

  get snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  /** The newest snapshot this client has answered in full, with ACKs or NACKs. */
  get settledSnapshot(): Snapshot | undefined {
    return this.#settled;
  }

  /** False until it has asked for anything. */
  get isSubscribed(): boolean {
    return this.#types.size > 0;
  }

  /** Whether every type it asked for has been answered for at least once. */
  get isAnswered(): boolean {
    for (const state of this.#types.values()) if (!state.isAnswered) return false;
    return true;
  }

  /** Why the newest answered response of some type was refused. */
  get error(): string | undefined {
    for (const { error } of this.#types.values()) if (error !== undefined) return error;
    return undefined;
  }

  get types(): readonly TypeStatus[] {
    return [...this.#types.values()].map((state) => state.status);
  }

  /** The names asked for; undefined when the type was never asked for. */
  subscription(typeUrl: string): Asked | undefined {
    return this.#types.get(typeUrl);
  }

  /** What this client should hold from now on; what differs is pushed at once. */
  setSnapshot(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    this.#push();
  }

  /** Ends the stream with a status that tells the client why. */
  close(error: GrpcError): void {
    this.#options.call.fail(error);
  }

  onMessage(bytes: Uint8Array): void {
    const request = this.#options.protocol.parse(bytes);
    const typeUrl = this.#typeOf(request);
    if (!this.#node) this.#admit(request);
    if (this.#options.customTypes.has(typeUrl)) {
      this.#options.events.onCustomRequest?.(this, {
        typeUrl,
        error: request.error,
        names: request.names,
      });
      return;
    }
    this.#onDiscoveryRequest(typeUrl, request);
    this.#push();
  }

  onHalfClose(): void {
    this.#options.call.end();
  }

  onDrain(): void {
    this.#push();
  }

  onBudget(): void {
    this.#push();
  }

  onClose(): void {
    this.#isOver = true;
    const { budget } = this.#options;
    budget.forget(this);
    for (const state of this.#types.values()) if (state.inFlight) budget.release(state.inFlight.bytes);
    this.#options.onOver(this);
    if (this.#node) this.#options.events.onDisconnected(this);
    this.#types.clear();
    this.#snapshot = undefined;
  }

  /** Gives up on answers that are overdue, and on a client that never says who it is. */
  sweep(nowMs: number): void {
    const { ackTimeoutMs, call, events } = this.#options;
    if (!this.#node) {
      if (nowMs - this.connectedMs < ackTimeoutMs) return;
      call.fail(new GrpcError(grpcCode.deadlineExceeded, "no discovery request came"));
      return;
    }
    if (call.isWritable) this.#stalledSinceMs = undefined;
    else {
      this.#stalledSinceMs ??= nowMs;
      if (nowMs - this.#stalledSinceMs >= maxStallMs) {
        events.onTrouble?.(this, undefined, "not read");
        call.fail(new GrpcError(grpcCode.resourceExhausted, "the client does not read what it is sent"));
        return;
      }
    }
    let isFreed = false;
    for (const state of this.#types.values()) {
      const { inFlight } = state;
      if (!inFlight || nowMs - inFlight.sentMs < ackTimeoutMs) continue;
      state.inFlight = undefined;
      this.#options.budget.release(inFlight.bytes);
      events.onTrouble?.(this, state.typeUrl, "overdue");
      isFreed = true;
    }
    if (isFreed) this.#push();
  }

  #typeOf(request: ParsedRequest): string {
    const { onlyType } = this.#options;
    const typeUrl = request.typeUrl || onlyType;
    if (!typeUrl)
      throw new GrpcError(grpcCode.invalidArgument, "a discovery request on ADS needs a type_url");
    if (onlyType && typeUrl !== onlyType) {
      throw new GrpcError(grpcCode.invalidArgument, `this service has only ${onlyType}`);
    }
    return typeUrl;
  }

  #admit(request: ParsedRequest): void {
    if (!request.node) {
      throw new GrpcError(grpcCode.invalidArgument, "the first discovery request on a stream needs a node");
    }
    const node = adsNodeOf(request.node);
    this.#options.admit(node, this.peer);
    this.#node = node;
    this.#options.call.accept();
    this.#options.events.onConnected(this);
  }

  #onDiscoveryRequest(typeUrl: string, request: ParsedRequest): void {
    let state = this.#types.get(typeUrl);
    const isFirst = !state;
    if (!state) {
      if (this.#types.size >= maxTypes) {
        throw new GrpcError(grpcCode.resourceExhausted, `more than ${maxTypes} types on one stream`);
      }
      state = new TypeState(typeUrl);
      this.#types.set(typeUrl, state);
      this.#steps = [...pushSteps(this.#types)];
    } else if (request.responseNonce !== "") {
      // Only the answer of a stale request is: the names are those of the moment it was sent.
      if (state.lastNonce === request.responseNonce) this.#answered(state, request.error);
      else this.#options.events.onTrouble?.(this, typeUrl, "stale nonce");
    }
    request.subscribe(state, isFirst);
    if (isFirst) state.owesAnswer = state.isWildcard;
    if (state.names.size > maxNames) {
      throw new GrpcError(grpcCode.resourceExhausted, `more than ${maxNames} names of ${typeUrl}`);
    }
  }

  #answered(state: TypeState, error: string | undefined): void {
    const { clock, events, budget } = this.#options;
    const { inFlight } = state;
    if (!state.answer(error, clock.now())) return;
    if (inFlight) budget.release(inFlight.bytes);
    if (error === undefined) events.onAck?.(this, state.typeUrl);
    else events.onNack?.(this, state.typeUrl, error);
  }

  #push(): void {
    const snapshot = this.#snapshot;
    if (!snapshot || this.#isOver) return;
    let hasNews = false;
    for (const state of this.#types.values()) {
      state.lookAt(snapshot);
      hasNews ||= state.hasNews("both");
    }
    if (!hasNews || this.#pushSteps(snapshot)) this.#settle(snapshot);
  }

  /** False when something has to wait for its turn. */
  #pushSteps(snapshot: Snapshot): boolean {
    let held: Set<string> | undefined;
    for (const step of this.#steps) {
      const state = this.#types.get(step.typeUrl)!;
      if (!state.hasNews(step.phase)) continue;
      if (!this.#options.call.isWritable) return false;
      const isBusy = (type: string) => held?.has(type) || this.#types.get(type)?.inFlight;
      const isReady = !isBusy(step.typeUrl) && !step.after.some(isBusy);
      if (isReady && this.#send(state, step.phase, snapshot)) continue;
      if (state.inFlight && !state.isHeldBack) {
        state.isHeldBack = true;
        this.#options.events.onTrouble?.(this, step.typeUrl, "held back");
      }
      held ??= new Set();
      held.add(step.typeUrl);
    }
    return held === undefined;
  }

  /** False when it has to wait for its turn. */
  #send(state: TypeState, phase: "update" | "remove" | "both", snapshot: Snapshot): boolean {
    const { protocol, call, clock, budget, events } = this.#options;
    const isLarge = phase !== "remove" && state.exceeds(smallResponseBytes);
    if (isLarge && !budget.hasRoom(this)) return false;
    const nonce = String(this.#nonce + 1);
    const version = snapshot.version ?? nonce;
    if (phase !== "remove") this.#repeatAwaited(state, snapshot);
    const response = protocol.respond(state, phase, version, nonce);
    if (!response) return true;
    this.#nonce += 1;
    call.sendParts(response);
    const size = response.reduce((sum, { length }) => sum + length, 0);
    const bytes = isLarge ? size : 0;
    budget.spend(bytes);
    state.expectAnswer({ nonce, version, sentMs: clock.now(), bytes });
    events.onSent?.(this, state.typeUrl, size);
    return true;
  }

  /** Steps that come later tell again what the resources about to be told are waiting for. */
  #repeatAwaited(told: TypeState, snapshot: Snapshot): void {
    const repeated = new Set<TypeState>();
    for (const { awaits } of told.toSend.values()) {
      const state = awaits && this.#types.get(awaits.typeUrl);
      if (state?.repeat(awaits!.name)) repeated.add(state);
    }
    for (const state of repeated) state.lookAt(snapshot);
  }

  #settle(snapshot: Snapshot): void {
    if (this.#settled === snapshot || this.#types.size === 0) return;
    for (const state of this.#types.values()) if (state.inFlight) return;
    this.#settled = snapshot;
    this.#options.events.onSettled?.(this);
  }
}
