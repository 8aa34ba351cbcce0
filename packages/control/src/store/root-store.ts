import type { Database } from "./database.ts";

/**
 * What a root is for. `waiting`: made, and trusted by nobody yet. `trusted`:
 * in every bundle. `issuing`: trusted, and the one that certificates come from.
 * `suspect`: its key is in wrong hands, and it is in the bundles for the moments
 * until everybody has another certificate. `retired`: in no bundle any more,
 * though what it issued was good. `distrusted`: in no bundle, because of its key.
 */
export type RootState = "waiting" | "trusted" | "issuing" | "suspect" | "retired" | "distrusted";

/** A root certificate with its private key: the secret on which the whole mesh rests. */
export interface StoredRoot {
  readonly certificatePem: string;
  /** "" when it is kept elsewhere, as an operator's own, or was destroyed with the root's retirement. */
  readonly privateKeyPem: string;
  readonly state: RootState;
  readonly createdAtMs: number;
  /** The same key and name, signed by the root before: for those who only know that one. "" when there is none. */
  readonly crossPem: string;
}

export type RotationPhase = "prepare" | "trust" | "issue" | "retire" | "done";

/** One replacement of the issuing root by another. */
export interface StoredRotation {
  readonly id: number;
  readonly fromPem: string;
  readonly toPem: string;
  /** The old root's key is in wrong hands: nothing waits for anybody. */
  readonly isForced: boolean;
  /** When each phase began, in order; the last is the current one. */
  readonly steps: readonly { readonly phase: RotationPhase; readonly atMs: number }[];
}

/** A change of roots that is written as a whole or not at all. */
export interface RootChange {
  readonly add?: StoredRoot;
  /** By PEM of the certificate. The key of a root that is retired or distrusted is destroyed. */
  readonly states?: ReadonlyMap<string, RootState>;
  /** Begins a rotation, with `step` as its first phase. */
  readonly begin?: Pick<StoredRotation, "fromPem" | "toPem">;
  /** The newest rotation goes on. */
  readonly step?: { readonly phase: RotationPhase; readonly atMs: number };
  /** The newest rotation waits for nobody from here on. */
  readonly force?: boolean;
}

/** The roots of the trust domain, and the certificates between them and the leaves. */
export interface RootStore {
  /** Oldest first. */
  list(): readonly StoredRoot[];
  change(change: RootChange): void;
  /** The newest, whether or not it is done. */
  rotation(): StoredRotation | undefined;
  /** PEM of every certificate below a root that has issued. */
  intermediates(): readonly string[];
  addIntermediate(certificatePem: string, seenAtMs: number): void;
}

interface Row {
  certificate_pem: string;
  private_key_pem: string;
  state: RootState;
  created_at_ms: number;
  cross_pem: string;
}

interface RotationRow {
  id: number;
  from_pem: string;
  to_pem: string;
  is_forced: number;
}

export function sqliteRootStore(database: Database): RootStore {
  const { sqlite } = database;
  const all = sqlite.prepare("SELECT * FROM roots ORDER BY id");
  const insert = sqlite.prepare(
    "INSERT INTO roots (certificate_pem, private_key_pem, state, created_at_ms, cross_pem) VALUES (?, ?, ?, ?, ?)",
  );
  const setState = sqlite.prepare("UPDATE roots SET state = ? WHERE certificate_pem = ?");
  const destroyKeys = sqlite.prepare(
    "UPDATE roots SET private_key_pem = '' WHERE state IN ('retired', 'distrusted') AND private_key_pem <> ''",
  );
  const begin = sqlite.prepare("INSERT INTO rotations (from_pem, to_pem, is_forced) VALUES (?, ?, 0)");
  const newest = "(SELECT max(id) FROM rotations)";
  const force = sqlite.prepare(`UPDATE rotations SET is_forced = 1 WHERE id = ${newest}`);
  const step = sqlite.prepare(`INSERT INTO rotation_steps VALUES (${newest}, ?, ?)`);
  const last = sqlite.prepare("SELECT * FROM rotations ORDER BY id DESC LIMIT 1");
  const steps = sqlite.prepare(
    "SELECT phase, at_ms FROM rotation_steps WHERE rotation_id = ? ORDER BY rowid",
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
        crossPem: row.cross_pem,
      })),
    change(change) {
      const destroyed = database.transaction(() => {
        if (change.add) {
          const { certificatePem, privateKeyPem, state, createdAtMs, crossPem } = change.add;
          insert.run(certificatePem, privateKeyPem, state, createdAtMs, crossPem);
        }
        for (const [pem, state] of change.states ?? []) setState.run(state, pem);
        if (change.begin) begin.run(change.begin.fromPem, change.begin.toPem);
        if (change.force) force.run();
        if (change.step) step.run(change.step.phase, change.step.atMs);
        return Number(destroyKeys.run().changes);
      });
      // What was written over is gone from the file only after a checkpoint.
      if (destroyed > 0) sqlite.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    },
    rotation() {
      const row = last.get() as unknown as RotationRow | undefined;
      if (!row) return undefined;
      const taken = steps.all(row.id) as { phase: RotationPhase; at_ms: number }[];
      return {
        id: row.id,
        fromPem: row.from_pem,
        toPem: row.to_pem,
        isForced: row.is_forced === 1,
        steps: taken.map(({ phase, at_ms }) => ({ phase, atMs: at_ms })),
      };
    },
    intermediates: () =>
      (signers.all() as { certificate_pem: string }[]).map(({ certificate_pem }) => certificate_pem),
    addIntermediate: (certificatePem, seenAtMs) => void insertSigner.run(certificatePem, seenAtMs),
  };
}
