import { createHash } from "node:crypto";

/** An entry as it is stored, in the database and in archives. */
export interface AuditRow {
  id: number;
  at_ms: number;
  event: string;
  subject: string;
  authorized_by: string;
  address: string;
  serial: string | null;
  key_hash: string | null;
  expires_at_ms: number | null;
  /** Absent in archives that are older than it. */
  outcome?: string;
  revision?: number | null;
  /** "" for entries that are older than the chain. */
  hash?: string;
}

/**
 * The hash of an entry: of everything in it, its number, and the hash of the
 * entry before. Whoever changes, removes or inserts one has to make every later
 * one anew, and the last of them is known elsewhere.
 */
export function chainHash(previous: string, row: AuditRow): string {
  const { id, at_ms, event, subject, authorized_by, address, serial, key_hash, expires_at_ms } = row;
  const said = [at_ms, event, subject, authorized_by, address, serial, key_hash, expires_at_ms];
  const content = JSON.stringify([previous, id, ...said, row.outcome ?? "done", row.revision ?? null]);
  return createHash("sha256").update(content).digest("hex");
}

/** Follows the chain entry by entry, and stops at the first that does not fit. */
export class ChainCheck {
  #previous: string;
  #lastId: number | undefined;
  /** Entries whose hashes hold. */
  chained = 0;
  /** Entries that are older than the chain. */
  unchained = 0;
  firstId: number | undefined;
  problem: string | undefined;

  /** @param before the hash of the last entry that was deleted with its archive; "" where there is none */
  constructor(before: string) {
    this.#previous = before;
  }

  /** The newest entry that holds. */
  get head(): { readonly id: number; readonly hash: string } | undefined {
    return this.chained === 0 ? undefined : { id: this.#lastId!, hash: this.#previous };
  }

  /** False from the first entry on that does not fit. */
  take(row: AuditRow): boolean {
    if (this.problem !== undefined) return false;
    this.problem = this.#problemOf(row);
    if (this.problem !== undefined) return false;
    this.firstId ??= row.id;
    this.#lastId = row.id;
    if (row.hash) {
      this.#previous = row.hash;
      this.chained += 1;
    } else this.unchained += 1;
    return true;
  }

  #problemOf(row: AuditRow): string | undefined {
    if (this.#lastId !== undefined && row.id !== this.#lastId + 1) {
      return row.id > this.#lastId
        ? `entries ${this.#lastId + 1} to ${row.id - 1} are missing`
        : `entry ${row.id} is there twice`;
    }
    if (!row.hash)
      return this.chained === 0 && this.#previous === "" ? undefined : `entry ${row.id} has no hash`;
    if (chainHash(this.#previous, row) === row.hash) return undefined;
    return `entry ${row.id} is not what was written, or one before it is not`;
  }
}
