import type { Node } from "../gen/envoy/config/core/v3/base_pb.js";
import type { PushStep } from "./push-order.ts";
import type { EncodedParts } from "./resource-encoding.ts";
import type { TypeState } from "./type-state.ts";

/** What both protocols' requests have in common. */
export interface DiscoveryRequestHead {
  readonly node: Node | undefined;
  readonly typeUrl: string;
  readonly responseNonce: string;
  readonly error: string | undefined;
  readonly names: readonly string[];
}

/** A decoded request: its head, and what it changes of the subscription. */
export interface ParsedRequest extends DiscoveryRequestHead {
  /** Applies the subscription to the type's state. */
  subscribe(state: TypeState, isFirst: boolean): void;
}

/** One of the two ways to speak xDS. Holds no state: that is in `TypeState`. */
export interface AdsProtocol {
  readonly name: "sotw" | "delta";
  parse(bytes: Uint8Array): ParsedRequest;
  /** The response of a step, or undefined when the step has nothing to say. Marks what it says as told. */
  respond(
    state: TypeState,
    step: PushStep["phase"],
    version: string,
    nonce: string,
  ): EncodedParts | undefined;
}

const maxErrorLength = 4096;

/** The text of a NACK, bounded. */
export function errorText(detail: { readonly message: string; readonly code: number } | undefined) {
  if (!detail) return undefined;
  return detail.message.slice(0, maxErrorLength) || `refused with code ${detail.code}`;
}
