/** One xDS resource, encoded once and shared by every client that gets it. */
export interface XdsResource {
  readonly name: string;
  /** Derived from the content: equal bytes have equal versions. Never empty. */
  readonly version: string;
  /** The encoded message, without its `Any`. */
  readonly body: Uint8Array;
  /** What a client wants to be told again whenever it is told this, though it holds it already. */
  readonly awaits?: Awaited;
}

export interface Awaited {
  readonly typeUrl: string;
  readonly name: string;
}

/**
 * All resources of one client, by type URL and name. Immutable: an update is a
 * new snapshot that shares the unchanged resources, and the unchanged maps, so
 * that a push costs what has changed.
 */
export interface Snapshot {
  readonly byType: ReadonlyMap<string, ReadonlyMap<string, XdsResource>>;
  /** Names this state in status and logs, and is the version clients are told. */
  readonly version?: string;
}
