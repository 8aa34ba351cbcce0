import { AuditArchive, type AuditArchiveOptions } from "./audit-archive.ts";
import type { Database } from "./database.ts";
import type { TokenRedeemer, TokenUse, TokenVerdict } from "./token-store.ts";

/** One line of the audit log. The database itself refuses to change it, or to delete it before it is archived. */
export interface AuditEntry {
  readonly atMs: number;
  readonly event:
    | "root created"
    | "root added"
    | "root trusted"
    | "root issues"
    | "root retired"
    | "root distrusted"
    | "token created"
    | "token revoked"
    | "certificate revoked"
    | "identity revoked"
    | "audit archive deleted"
    | "certificate issued"
    | "JWT-SVID issued";
  /** Whom it is about: a SPIFFE ID. */
  readonly subject: string;
  /** Who was allowed to: `token <id>`, `certificate <SPIFFE ID>`, `operator <name>` or `control plane`. */
  readonly authorizedBy: string;
  /** Where the request came from; "" for this machine's own. */
  readonly address: string;
  /** Of the certificate, the join token or the JWT. */
  readonly serial?: string;
  /** Hexadecimal SHA-256 of the certified key's SubjectPublicKeyInfo. */
  readonly keyHash?: string;
  readonly expiresAtMs?: number;
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
  /** Whether this very certificate came from here. */
  wasIssued(certificate: Required<Pick<AuditEntry, "subject" | "serial" | "keyHash">>): boolean;
  /** The entry of a certificate's issuance. */
  issuance(serial: string): AuditEntry | undefined;
  /** Certificates issued to an identity that have not expired, newest first. */
  issuedTo(identity: string, nowMs: number, limit: number): readonly AuditEntry[];
  /** Certificates ever issued, and those of them that have not expired. */
  countIssued(nowMs: number): { readonly total: number; readonly active: number };
}

interface Row {
  at_ms: number;
  event: AuditEntry["event"];
  subject: string;
  authorized_by: string;
  address: string;
  serial: string | null;
  key_hash: string | null;
  expires_at_ms: number | null;
}

export function sqliteAuditLog(
  database: Database,
  tokens: TokenRedeemer,
  archiveOptions: AuditArchiveOptions,
): AuditLog {
  const { sqlite } = database;
  const insert = sqlite.prepare("INSERT INTO audit VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)");
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
    const { atMs, event, subject, authorizedBy, address, serial, keyHash, expiresAtMs } = entry;
    insert.run(
      atMs,
      event,
      subject,
      authorizedBy,
      address,
      serial ?? null,
      keyHash ?? null,
      expiresAtMs ?? null,
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
  };
}
