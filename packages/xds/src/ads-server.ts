import type { Clock, Timer } from "@weft/base/clock";
import { type DiscoveryService, servicePath, typeOf } from "./discovery-service.ts";
import type { GrpcPeer } from "./grpc/grpc-peer.ts";
import type { GrpcRoute } from "./grpc/grpc-route.ts";
import { GrpcError, grpcCode } from "./grpc/grpc-status.ts";
import type { AdsNode } from "./server/ads-node.ts";
import { type AdsEvents, AdsSession } from "./server/ads-session.ts";
import { delta } from "./server/delta.ts";
import type { AdsProtocol } from "./server/protocol.ts";
import { SendBudget } from "./server/send-budget.ts";
import { sotw } from "./server/sotw.ts";

export type { AdsNode } from "./server/ads-node.ts";
export type { AdsEvents, AdsSession, CustomRequest, DeliveryTrouble } from "./server/ads-session.ts";
export type { TypeStatus } from "./server/type-state.ts";

export interface AdsServerOptions {
  readonly clock: Clock;
  /**
   * Decides about a client by what it says and what its connection proves.
   * @throws GrpcError to refuse it with that status.
   */
  admit(node: AdsNode, peer: GrpcPeer): void;
  readonly events: AdsEvents;
  /** Types that are messages to the server, given to `onCustomRequest` and never answered. */
  readonly customTypes?: readonly string[];
  /** How long an unanswered response holds back what follows it. Default 10 s. */
  readonly ackTimeoutMs?: number;
  /** Of large responses, over all streams; more wait for their turn. Default 64 MiB. */
  readonly maxUnansweredBytes?: number;
  /** More streams than this are refused. Default 20,000. */
  readonly maxStreams?: number;
}

const sweepMs = 1_000;

/**
 * The server side of xDS v3: each stream gets what its own snapshot holds, in
 * the protocol it chose. Knows nothing of meshes: who may connect and what each
 * gets is its owner's to say.
 */
export class AdsServer {
  readonly #options: AdsServerOptions;
  readonly #customTypes: ReadonlySet<string>;
  readonly #sessions = new Set<AdsSession>();
  readonly #budget: SendBudget;
  #timer: Timer | undefined;
  #lastId = 0;

  constructor(options: AdsServerOptions) {
    this.#options = options;
    this.#customTypes = new Set(options.customTypes);
    this.#budget = new SendBudget(options.maxUnansweredBytes ?? 64 << 20);
  }

  /** The methods to mount on a `GrpcServer`. */
  routes(service: DiscoveryService): readonly GrpcRoute[] {
    return [
      this.#route(servicePath(service, "Stream"), sotw, typeOf(service)),
      this.#route(servicePath(service, "Delta"), delta, typeOf(service)),
    ];
  }

  /** Every admitted stream, oldest first. */
  get sessions(): readonly AdsSession[] {
    return [...this.#sessions].filter((session) => session.isAdmitted);
  }

  /** Ends every stream; its client will look for another server. */
  close(): void {
    for (const session of this.#sessions) {
      session.close(new GrpcError(grpcCode.unavailable, "the server is stopping"));
    }
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #route(path: string, protocol: AdsProtocol, onlyType: string | undefined): GrpcRoute {
    const { clock, admit, events, ackTimeoutMs = 10_000, maxStreams = 20_000 } = this.#options;
    return {
      path,
      open: (call) => {
        if (this.#sessions.size >= maxStreams) {
          throw new GrpcError(grpcCode.resourceExhausted, `this server already has ${maxStreams} streams`);
        }
        this.#lastId += 1;
        const session = new AdsSession({
          id: this.#lastId,
          clock,
          call,
          protocol,
          events,
          customTypes: this.#customTypes,
          onlyType,
          ackTimeoutMs,
          budget: this.#budget,
          admit: (node, peer) => admit(node, peer),
          onOver: (over) => this.#sessions.delete(over),
        });
        this.#sessions.add(session);
        this.#timer ??= clock.setTimer(() => this.#sweep(), sweepMs);
        return session;
      },
    };
  }

  #sweep(): void {
    const nowMs = this.#options.clock.now();
    for (const session of this.#sessions) session.sweep(nowMs);
    this.#timer =
      this.#sessions.size > 0 ? this.#options.clock.setTimer(() => this.#sweep(), sweepMs) : undefined;
  }
}
