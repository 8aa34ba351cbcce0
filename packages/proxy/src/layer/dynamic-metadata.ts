/** What filters tell each other and the access log: as a JSON value. */
export type MetadataValue =
  | string
  | number
  | boolean
  | null
  | readonly MetadataValue[]
  | { readonly [key: string]: MetadataValue };

/** Filter name → key → value. Shared between exchanges: what changes it makes another (`layer/dynamic-metadata.ts`). */
export type DynamicMetadata = ReadonlyMap<string, ReadonlyMap<string, MetadataValue>>;

/** The value under `keys` within `filter`'s metadata, or undefined: every key but the last leads into an object. */
export function metadataAt(
  metadata: DynamicMetadata | undefined,
  filter: string,
  keys: readonly string[],
): MetadataValue | undefined {
  let value: MetadataValue | undefined = metadata?.get(filter)?.get(keys[0]!);
  for (let i = 1; i < keys.length; i++) value = childOf(value, keys[i]!);
  return value;
}

/** The value of an own field of an object; undefined of anything else. */
export function childOf(value: MetadataValue | undefined, key: string): MetadataValue | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, key) ? (value as Readonly<Record<string, MetadataValue>>)[key] : undefined;
}

/** Adds `values` to the metadata of `filter`. */
export function noteMetadata(
  exchange: { dynamicMetadata: DynamicMetadata | undefined },
  filter: string,
  values: ReadonlyMap<string, MetadataValue>,
): void {
  exchange.dynamicMetadata = withValues(exchange.dynamicMetadata, filter, values);
}

/** Adds notes that are made once and shared: an exchange that has no others allocates nothing. */
export function shareMetadata(
  exchange: { dynamicMetadata: DynamicMetadata | undefined },
  notes: DynamicMetadata,
): void {
  if (exchange.dynamicMetadata === undefined) exchange.dynamicMetadata = notes;
  else for (const [filter, values] of notes) noteMetadata(exchange, filter, values);
}

/** Adds notes about a connection, which whatever is served on it begins with. */
export function noteOnConnection(
  connection: { metadata?: DynamicMetadata | undefined },
  notes: DynamicMetadata,
): void {
  if (connection.metadata === undefined) connection.metadata = notes;
  else
    for (const [filter, values] of notes)
      connection.metadata = withValues(connection.metadata, filter, values);
}

function withValues(
  metadata: DynamicMetadata | undefined,
  filter: string,
  values: ReadonlyMap<string, MetadataValue>,
): DynamicMetadata {
  const before = metadata?.get(filter);
  return new Map(metadata).set(filter, before ? new Map([...before, ...values]) : values);
}
