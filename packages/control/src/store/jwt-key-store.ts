import type { Database } from "./database.ts";

/** A key for JWT-SVIDs, with when it signs. */
export interface StoredJwtKey {
  readonly id: string;
  readonly privateKeyPem: string;
  readonly beginsAtMs: number;
  readonly endsAtMs: number;
}

/** The keys of JWT-SVIDs: one signs, those of before still verify, the next one is known already. */
export interface JwtKeyStore {
  /** In the order they sign. */
  list(): readonly StoredJwtKey[];
  /** Adds a key and forgets those that ended before `endedBeforeMs`, in one step. */
  add(key: StoredJwtKey, endedBeforeMs: number): void;
}

interface Row {
  id: string;
  private_key_pem: string;
  begins_at_ms: number;
  ends_at_ms: number;
}

export function sqliteJwtKeyStore(database: Database): JwtKeyStore {
  const { sqlite } = database;
  const all = sqlite.prepare("SELECT * FROM jwt_keys ORDER BY begins_at_ms");
  const insert = sqlite.prepare("INSERT INTO jwt_keys VALUES (?, ?, ?, ?)");
  const forget = sqlite.prepare("DELETE FROM jwt_keys WHERE ends_at_ms < ?");
  return {
    list: () =>
      (all.all() as unknown as Row[]).map((row) => ({
        id: row.id,
        privateKeyPem: row.private_key_pem,
        beginsAtMs: row.begins_at_ms,
        endsAtMs: row.ends_at_ms,
      })),
    add: ({ id, privateKeyPem, beginsAtMs, endsAtMs }, endedBeforeMs) =>
      database.transaction(() => {
        forget.run(endedBeforeMs);
        insert.run(id, privateKeyPem, beginsAtMs, endsAtMs);
      }),
  };
}
