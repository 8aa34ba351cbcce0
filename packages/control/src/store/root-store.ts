import type { Database } from "./database.ts";

/**
 * What a root is for. `waiting`: made, and trusted by nobody yet. `trusted`:
 * in every bundle. `issuing`: trusted, and the one that certificates come from.
 * `retired`: in no bundle any more, though what it issued was good. `distrusted`:
 * its key is in wrong hands.
 */
export type RootState = "waiting" | "trusted" | "issuing" | "retired" | "distrusted";

/** A root certificate with its private key: the secret on which the whole mesh rests. */
export interface StoredRoot {
  readonly certificatePem: string;
  /** "" when it is kept elsewhere, as an operator's own, or was destroyed with the root's retirement. */
  readonly privateKeyPem: string;
  readonly state: RootState;
  readonly createdAtMs: number;
}

/** The roots of the trust domain, and the certificates between them and the leaves. */
export interface RootStore {
  /** Oldest first. */
  list(): readonly StoredRoot[];
  /** Certificate and key are stored together or not at all. */
  add(root: StoredRoot): void;
  /** All or none, by PEM of the certificate. The key of a root that is retired or distrusted is destroyed. */
  setStates(states: ReadonlyMap<string, RootState>): void;
  /** PEM of every certificate below a root that has issued. */
  intermediates(): readonly string[];
  addIntermediate(certificatePem: string, seenAtMs: number): void;
}

interface Row {
  certificate_pem: string;
  private_key_pem: string;
  state: RootState;
  created_at_ms: number;
}

export function sqliteRootStore(database: Database): RootStore {
  const { sqlite } = database;
  const all = sqlite.prepare("SELECT * FROM roots ORDER BY id");
  const insert = sqlite.prepare(
    "INSERT INTO roots (certificate_pem, private_key_pem, state, created_at_ms) VALUES (?, ?, ?, ?)",
  );
  const setState = sqlite.prepare("UPDATE roots SET state = ? WHERE certificate_pem = ?");
  const destroyKeys = sqlite.prepare(
    "UPDATE roots SET private_key_pem = '' WHERE state IN ('retired', 'distrusted') AND private_key_pem <> ''",
  );
  const signers = sqlite.prepare("SELECT certificate_pem FROM intermediates ORDER BY seen_at_ms");
  const insertSigner = sqlite.prepare("INSERT INTO intermediates VALUES (?, ?) ON CONFLICT DO NOTHING");
  return {
    list: () =>
      (all.all() as unknown as Row[]).map((row) => ({
        certificatePem: row.certificate_pem,
        privateKeyPem: row.private_key_pem,
        state: row.state,
        createdAtMs: row.created_at_ms,
      })),
    add: ({ certificatePem, privateKeyPem, state, createdAtMs }) =>
      void insert.run(certificatePem, privateKeyPem, state, createdAtMs),
    setStates(states) {
      const destroyed = database.transaction(() => {
        for (const [pem, state] of states) setState.run(state, pem);
        return Number(destroyKeys.run().changes);
      });
      // What was written over is gone from the file only after a checkpoint.
      if (destroyed > 0) sqlite.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    },
    intermediates: () =>
      (signers.all() as { certificate_pem: string }[]).map(({ certificate_pem }) => certificate_pem),
    addIntermediate: (certificatePem, seenAtMs) => void insertSigner.run(certificatePem, seenAtMs),
  };
}
