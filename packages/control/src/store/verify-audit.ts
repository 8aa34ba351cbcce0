import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { messageOf } from "@weft/base/errors";
import { type AuditRow, ChainCheck } from "./audit-chain.ts";
import type { Database } from "./database.ts";

/** What became of a verification of the audit log. */
export interface AuditVerification {
  readonly isIntact: boolean;
  /** Entries whose hashes hold, and those that are older than the chain. */
  readonly entries: number;
  readonly unchained: number;
  readonly firstId?: number;
  /** The newest entry: noted elsewhere, it shows later that nothing up to it was changed. */
  readonly head?: { readonly id: number; readonly hash: string };
  readonly problem?: string;
}

/** An entry that somebody noted. */
export interface NotedHead {
  readonly id: number;
  readonly hash: string;
}

interface Archive {
  last_id: number;
  file: string;
  last_hash: string;
}

const rowsAtOnce = 2_000;
/** An archive of 10,000 entries is some 4 MB. */
const maxArchiveBytes = 256 << 20;

/**
 * Reads the whole audit log, archives first, and follows its chain of hashes.
 * Other work goes on between parts of it.
 */
export async function verifyAudit(
  { sqlite }: Database,
  folder: string,
  noted?: NotedHead,
): Promise<AuditVerification> {
  const archives = sqlite
    .prepare("SELECT last_id, file, last_hash FROM audit_archives ORDER BY last_id")
    .all() as unknown as Archive[];
  const kept = archives.filter(({ file }) => file !== "");
  const lost = archives.filter(({ file }) => file === "").at(-1);
  const check = new ChainCheck(lost?.last_hash ?? "");
  let isNotedSeen = false;
  const take = (row: AuditRow): boolean => {
    if (row.id === noted?.id) isNotedSeen = row.hash === noted.hash;
    return check.take(row);
  };
  for (const { file } of kept) {
    if (!readArchive(join(folder, file), take, check)) break;
    await turn();
  }
  const after = sqlite.prepare("SELECT * FROM audit WHERE id > ? ORDER BY id LIMIT ?");
  for (let last = 0; check.problem === undefined; ) {
    const rows = after.all(last, rowsAtOnce) as unknown as AuditRow[];
    if (rows.length === 0 || !rows.every(take)) break;
    last = rows.at(-1)!.id;
    await turn();
  }
  if (noted && !isNotedSeen) check.problem ??= `entry ${noted.id} is not the one that was noted`;
  const { head, problem, chained, unchained, firstId } = check;
  return {
    isIntact: problem === undefined,
    entries: chained,
    unchained,
    ...(firstId !== undefined && { firstId }),
    ...(head && { head }),
    ...(problem !== undefined && { problem }),
  };
}

function readArchive(path: string, take: (row: AuditRow) => boolean, check: ChainCheck): boolean {
  try {
    const text = gunzipSync(readFileSync(path), { maxOutputLength: maxArchiveBytes }).toString("utf8");
    return text
      .trimEnd()
      .split("\n")
      .every((line) => take(JSON.parse(line) as AuditRow));
  } catch (error) {
    check.problem ??= `${path} cannot be read: ${messageOf(error)}`;
    return false;
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
