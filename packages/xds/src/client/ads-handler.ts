/** A resource as it came: still encoded, so that only its user pays for decoding. */
export interface ReceivedResource {
  readonly name: string;
  /** "" in state of the world, where resources have no version of their own. */
  readonly version: string;
  /** The encoded message, without its `Any`. Valid after the call; shares memory with its response. */
  readonly body: Uint8Array;
  /** Other names that it was asked for by. */
  readonly aliases?: readonly string[];
  /** How long it holds unless the server says it again; undefined: for good. */
  readonly ttlMs?: number;
}

export interface ResourceUpdate {
  /** New or changed. */
  readonly added: readonly ReceivedResource[];
  /** Gone, or asked for and not there. */
  readonly removed: readonly string[];
  /** The response's version, for people. */
  readonly version: string;
}

/** Takes what an `AdsClient` receives. */
export interface AdsHandler {
  /**
   * One response. Returning a text, or throwing, is a NACK with that text; the
   * client then counts nothing of the update as held, and gets it again after a
   * reconnect.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: a handler with nothing to object returns nothing
  onResources(typeUrl: string, update: ResourceUpdate): string | undefined | void;
}
