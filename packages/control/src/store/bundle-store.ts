import type { Database } from "./database.ts";

/** The last good bundle of another trust domain, as it was fetched. */
export interface StoredBundle {
  readonly trustDomain: string;
  readonly document: string;
  readonly fetchedAtMs: number;
  /** When its content was another one last. */
  readonly changedAtMs: number;
  /** Names the bundle an operator gave to begin with; another one begins anew. */
  readonly origin: string;
}

/** What of a bundle was published last: its number, and which content that was. */
export interface PublishedSequence {
  readonly sequence: bigint;
  readonly contentHash: string;
}

export interface BundleStore {
  list(): readonly StoredBundle[];
  put(bundle: StoredBundle): void;
  forget(trustDomain: string): void;
  published(): PublishedSequence | undefined;
  setPublished(published: PublishedSequence): void;
}

interface Row {
  trust_domain: string;
  document: string;
  fetched_at_ms: number;
  changed_at_ms: number;
  origin: string;
}

const publishedSetting = "bundle_sequence";

export function sqliteBundleStore({ sqlite }: Database): BundleStore {
  const all = sqlite.prepare("SELECT * FROM federated_bundles ORDER BY trust_domain");
  const put = sqlite.prepare("INSERT OR REPLACE INTO federated_bundles VALUES (?, ?, ?, ?, ?)");
  const forget = sqlite.prepare("DELETE FROM federated_bundles WHERE trust_domain = ?");
  const read = sqlite.prepare("SELECT value FROM settings WHERE name = ?");
  const write = sqlite.prepare("INSERT OR REPLACE INTO settings VALUES (?, ?)");
  return {
    list: () =>
      (all.all() as unknown as Row[]).map((row) => ({
        trustDomain: row.trust_domain,
        document: row.document,
        fetchedAtMs: row.fetched_at_ms,
        changedAtMs: row.changed_at_ms,
        origin: row.origin,
      })),
    put: ({ trustDomain, document, fetchedAtMs, changedAtMs, origin }) =>
      void put.run(trustDomain, document, fetchedAtMs, changedAtMs, origin),
    forget: (trustDomain) => void forget.run(trustDomain),
    published() {
      const row = read.get(publishedSetting) as { value: string } | undefined;
      if (!row) return undefined;
      const [sequence, contentHash] = row.value.split(" ") as [string, string];
      return { sequence: BigInt(sequence), contentHash };
    },
    setPublished: ({ sequence, contentHash }) =>
      void write.run(publishedSetting, `${sequence} ${contentHash}`),
  };
}
