import { AuditArchive, type AuditArchiveOptions } from "./audit-archive.ts";
import { type AuditRow, chainHash } from "./audit-chain.ts";
import type { AuditEntry } from "./audit-entry.ts";
import type { Database } from "./database.ts";
import type { TokenRedeemer, TokenUse, TokenVerdict } from "./token-store.ts";
import { type AuditVerification, type NotedHead, verifyAudit } from "./verify-audit.ts";

/** What of the log is asked for. */
export interface AuditQuery {
  readonly limit: number;
  readonly sinceMs?: number;
  readonly event?: string;
  /** Part of who was allowed, or tried. */
  readonly by?: string;
}

/** Who did it, and from where. */
export type AuditActor = Pick<AuditEntry, "authorizedBy" | "address">;

/** Whoever may start the control plane, or use its Unix socket. */
export const localActor: AuditActor = { authorizedBy: "operator local", address: "" };

/** What nobody asked for. */
export const ownActor: AuditActor = { authorizedBy: "control plane", address: "" };

export interface AuditLog {
  append(entry: AuditEntry): void;
  /**
   * Records a certificate, and uses up the token that allowed it, in one step:
   * either both happened or neither. Nothing is recorded when the token turns
   * out to be no good. Durable when it resolves.
   */
  recordIssuance(entry: AuditEntry, token?: TokenUse): Promise<TokenVerdict | undefined>;
  /** Newest first. */
  recent(limit: number): readonly AuditEntry[];
  /** Newest first, of what is still in the database. */
  find(query: AuditQuery): readonly AuditEntry[];
  /** Whether everything is as it was written; `noted` is an entry that was noted before. */
  verify(noted?: NotedHead): Promise<AuditVerification>;
  /** Whether this very certificate came from here. */
  wasIssued(certificate: Required<Pick<AuditEntry, "subject" | "serial" | "keyHash">>): boolean;
  /** The entry of a certificate's issuance. */
  issuance(serial: string): AuditEntry | undefined;
  /** Certificates issued to an identity that have not expired, newest first. */
  issuedTo(identity: string, nowMs: number, limit: number): readonly AuditEntry[];
  /** Certificates ever issued, and those of them that have not expired. */
  countIssued(nowMs: number): { readonly total: number; readonly active: number };
}

interface Row extends AuditRow {
  event: AuditEntry["event"];
}

const done = "done";
/** What is said by others is kept up to here. */
const maxTextLength = 2_000;

export function sqliteAuditLog(
  database: Database,
  tokens: TokenRedeemer,
  archiveOptions: AuditArchiveOptions,
): AuditLog {
  const { sqlite } = database;
  const insert = sqlite.prepare(
    `INSERT INTO audit (id, at_ms, event, subject, authorized_by, address, serial, key_hash, expires_at_ms,
      outcome, revision, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const newestHash = sqlite.prepare("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1");
  const archivedHash = sqlite.prepare(
    "SELECT last_id AS id, last_hash AS hash FROM audit_archives ORDER BY last_id DESC LIMIT 1",
  );
  const matching = sqlite.prepare(
    `SELECT * FROM audit WHERE at_ms >= ? AND (? = '' OR event = ?) AND instr(authorized_by, ?) > 0
      ORDER BY id DESC LIMIT ?`,
  );
  const newest = sqlite.prepare("SELECT * FROM audit ORDER BY id DESC LIMIT ?");
  const count = sqlite.prepare("SELECT count(*) AS n FROM audit WHERE event = ? AND expires_at_ms > ?");

  const issued = sqlite.prepare(
    "SELECT * FROM audit WHERE event = 'certificate issued' AND expires_at_ms > ? AND subject = ? ORDER BY id DESC LIMIT ?",
  );

  const known = sqlite.prepare(
    "SELECT 1 FROM audit WHERE serial = ? AND event = 'certificate issued' AND subject = ? AND key_hash = ?",
  );

  const bySerial = sqlite.prepare("SELECT * FROM audit WHERE serial = ? AND event = 'certificate issued'");

  const append = (entry: AuditEntry): void => {
    // Read, not remembered: an entry before may have been taken back with its transaction.
    const before = (newestHash.get() ?? archivedHash.get()) as { id: number; hash: string } | undefined;
    const row = toRow((before?.id ?? 0) + 1, entry);
    const { id, at_ms, event, subject, authorized_by, address, serial, key_hash, expires_at_ms } = row;
    insert.run(
      ...[id, at_ms, event, subject, authorized_by, address, serial, key_hash, expires_at_ms],
      ...[row.outcome, row.revision, chainHash(before?.hash ?? "", row)],
    );
    archive.onAppended();
  };
  const archive = new AuditArchive(archiveOptions, database, append);
  const countSince = (expiryMs: number) => (count.get("certificate issued", expiryMs) as { n: number }).n;

  return {
    append,
    recordIssuance: (entry, token) =>
      database.grouped(() => {
        const verdict = token && tokens.redeem(token);
        if (verdict?.isGood !== false) append(entry);
        return verdict;
      }),
    find: ({ limit, sinceMs = 0, event = "", by = "" }) =>
      (matching.all(sinceMs, event, event, by, limit) as unknown as Row[]).map(toEntry),
    verify: (noted) => verifyAudit(database, archiveOptions.folder, noted),
    recent: (limit) => (newest.all(limit) as unknown as Row[]).map(toEntry),
    wasIssued: ({ serial, subject, keyHash }) => known.get(serial, subject, keyHash) !== undefined,
    issuance(serial) {
      const row = bySerial.get(serial) as unknown as Row | undefined;
      return row && toEntry(row);
    },
    issuedTo: (identity, nowMs, limit) =>
      (issued.all(nowMs, identity, limit) as unknown as Row[]).map(toEntry),
    countIssued: (nowMs) => ({ total: archive.issued + countSince(0), active: countSince(nowMs) }),
  };
}

function toRow(id: number, entry: AuditEntry) {
  const { atMs, event, subject, authorizedBy, address, serial, keyHash, expiresAtMs } = entry;
  return {
    id,
    at_ms: atMs,
    event,
    subject: subject.slice(0, maxTextLength),
    authorized_by: authorizedBy.slice(0, maxTextLength),
    address,
    serial: serial ?? null,
    key_hash: keyHash ?? null,
    expires_at_ms: expiresAtMs ?? null,
    outcome: entry.refusal?.slice(0, maxTextLength) ?? done,
    revision: entry.revision ?? null,
  };
}

function toEntry(row: Row): AuditEntry {
  return {
    atMs: row.at_ms,
    event: row.event,
    subject: row.subject,
    authorizedBy: row.authorized_by,
    address: row.address,
    ...(row.serial !== null && { serial: row.serial }),
    ...(row.key_hash !== null && { keyHash: row.key_hash }),
    ...(row.expires_at_ms !== null && { expiresAtMs: row.expires_at_ms }),
    ...(row.outcome !== undefined && row.outcome !== done && { refusal: row.outcome }),
    ...(row.revision != null && { revision: row.revision }),
  };
}
