import type { Database } from "./database.ts";

/** A root certificate with its private key: the secret on which the whole mesh rests. */
export interface StoredRoot {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly createdAtMs: number;
}

/** The roots of the trust domain. Certificate and key are stored together or not at all. */
export interface RootStore {
  /** Oldest first. */
  list(): readonly StoredRoot[];
  add(root: StoredRoot): void;
}

interface Row {
  certificate_pem: string;
  private_key_pem: string;
  created_at_ms: number;
}

export function sqliteRootStore({ sqlite }: Database): RootStore {
  const all = sqlite.prepare("SELECT * FROM roots ORDER BY id");
  const insert = sqlite.prepare("INSERT INTO roots VALUES (NULL, ?, ?, ?)");
  return {
    list: () =>
      (all.all() as unknown as Row[]).map((row) => ({
        certificatePem: row.certificate_pem,
        privateKeyPem: row.private_key_pem,
        createdAtMs: row.created_at_ms,
      })),
    add: (root) => void insert.run(root.certificatePem, root.privateKeyPem, root.createdAtMs),
  };
}
