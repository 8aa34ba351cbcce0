/** One xDS resource, encoded once and shared by every client that gets it. */
export interface XdsResource {
  readonly name: string;
  /** Derived from the content: equal bytes have equal versions. */
  readonly version: string;
  /** The encoded message, without its `Any`. */
  readonly body: Uint8Array;
}

/**
 * All resources of one client, by type URL and name. Immutable: an update is a
 * new snapshot that shares the unchanged resources.
 */
export interface Snapshot {
  readonly byType: ReadonlyMap<string, ReadonlyMap<string, XdsResource>>;
}
