import type { Any, Duration } from "@bufbuild/protobuf/wkt";
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  DiscoveryRequest,
  DiscoveryRequestSchema,
} from "../gen/envoy/service/discovery/v3/discovery_pb.js";
import { grpcCode } from "../grpc/grpc-status.ts";
import type { ReceivedResource, ResourceUpdate } from "./ads-handler.ts";
import type { Subscription, SubscriptionChange } from "./subscription.ts";

/** A request, ready to be encoded. */
export type OutgoingRequest =
  | { readonly schema: typeof DeltaDiscoveryRequestSchema; readonly message: DeltaDiscoveryRequest }
  | { readonly schema: typeof DiscoveryRequestSchema; readonly message: DiscoveryRequest };

export interface IncomingResponse {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly version: string;
  readonly resources: readonly ReceivedResource[];
  readonly removed: readonly string[];
  /** Resources that only live on: named without a body. */
  readonly heartbeats: readonly Heartbeat[];
  /** Why the response itself is wrong, whatever its resources hold. */
  readonly problem: string | undefined;
}

/** What a message to the server says. */
export interface Report {
  /** Goes as `error_detail`. */
  readonly error?: string | undefined;
  /** Go as the names of resources. */
  readonly names?: readonly string[];
}

/** Renews the lifetime of a resource of this version. */
export interface Heartbeat {
  readonly name: string;
  readonly version: string;
  readonly ttlMs: number;
}

/** The lifetime a `Resource` message gives, as a part of a `ReceivedResource`. */
export function ttlOf(ttl: Duration | undefined): { readonly ttlMs?: number } {
  return ttl ? { ttlMs: Number(ttl.seconds) * 1_000 + ttl.nanos / 1e6 } : {};
}

/** One of the two ways to speak xDS. Holds no state: that is in `Subscription`. */
export interface ClientProtocol {
  readonly method: "Stream" | "Delta";
  /** The first request of a type on a stream. */
  first(subscription: Subscription): OutgoingRequest;
  /** After the names have changed. */
  change(subscription: Subscription, change: SubscriptionChange): OutgoingRequest;
  /** ACK, or NACK with its text. */
  answer(subscription: Subscription, error: string | undefined): OutgoingRequest;
  report(typeUrl: string, said: Report): OutgoingRequest;
  parse(bytes: Uint8Array): IncomingResponse;
  updateOf(subscription: Subscription, response: IncomingResponse): ResourceUpdate;
}

/** The `error_detail` of a NACK. */
export function errorDetail(error: string | undefined) {
  return error === undefined ? {} : { errorDetail: { code: grpcCode.invalidArgument, message: error } };
}

/** The problem of an `Any` that is not of the response's type. */
export function typeProblem(any: Any | undefined, typeUrl: string, name: string): string | undefined {
  if (any?.typeUrl === typeUrl) return undefined;
  return `resource "${name}" is of type "${any?.typeUrl ?? ""}" in a response of type "${typeUrl}"`;
}
