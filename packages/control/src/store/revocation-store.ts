import type { Database } from "./database.ts";

/** A certificate, or every certificate that an identity had, that is not believed any more. */
export interface Revocation {
  readonly kind: "serial" | "identity";
  /** Serial number, hexadecimal, or SPIFFE ID. */
  readonly value: string;
  readonly atMs: number;
  /** When the last certificate that it is about has expired. */
  readonly untilMs: number;
}

/** The deny-list. Each change is durable when its call returns. */
export interface RevocationStore {
  /** Those that still matter, newest first. */
  list(nowMs: number): readonly Revocation[];
  /** Also again, with a later time. Forgets those that are over. */
  add(revocation: Revocation): void;
}

interface Row {
  kind: Revocation["kind"];
  value: string;
  at_ms: number;
  until_ms: number;
}

export function sqliteRevocationStore(database: Database): RevocationStore {
  const { sqlite } = database;
  const all = sqlite.prepare("SELECT * FROM revocations WHERE until_ms >= ? ORDER BY at_ms DESC");
  const put = sqlite.prepare("INSERT OR REPLACE INTO revocations VALUES (?, ?, ?, ?)");
  const purge = sqlite.prepare("DELETE FROM revocations WHERE until_ms < ?");
  return {
    list: (nowMs) =>
      (all.all(nowMs) as unknown as Row[]).map((row) => ({
        kind: row.kind,
        value: row.value,
        atMs: row.at_ms,
        untilMs: row.until_ms,
      })),
    add: ({ kind, value, atMs, untilMs }) =>
      database.transaction(() => {
        purge.run(atMs);
        put.run(kind, value, atMs, untilMs);
      }),
  };
}
