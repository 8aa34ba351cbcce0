/** A resource as its source names it. */
export interface SourcedName {
  readonly source: string;
  readonly name: string;
}

/** One text for a resource and its source: the same name from two sources is two resources. */
export function sourcedKey({ source, name }: SourcedName): string {
  return `${source} ${name}`;
}

export function parseSourcedKey(key: string): SourcedName {
  const blank = key.indexOf(" ");
  return { source: key.slice(0, blank), name: key.slice(blank + 1) };
}
