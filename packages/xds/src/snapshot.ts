/** One xDS resource, encoded once and shared by every client that gets it. */
export interface XdsResource {
  readonly name: string;
  /** Derived from the content: equal bytes have equal versions. Never empty. */
  readonly version: string;
  /** The encoded message, without its `Any`. */
  readonly body: Uint8Array;
  /** What a client wants to be told again whenever it is told this, though it holds it already. */
  readonly awaits?: Awaited;
  /** Clients that learn what they use ask for it by name: see `Snapshot.isLearnt`. */
  readonly isOnDemand?: boolean;
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
  /** The client learns what it uses: a wildcard brings it nothing that `isOnDemand`. */
  readonly isLearnt?: boolean;
}

/** What a client asked for of a type. */
export interface Asked {
  readonly isWildcard: boolean;
  readonly names: ReadonlySet<string>;
}

/** Whether a client that asked so is given a resource of its snapshot. */
export function isGiven(
  { isWildcard, names }: Asked,
  resource: XdsResource,
  { isLearnt }: Pick<Snapshot, "isLearnt">,
): boolean {
  return names.has(resource.name) || (isWildcard && !(isLearnt && resource.isOnDemand));
}
