import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Clock } from "@weft/base/clock";
import type { AuditEntry } from "./audit-entry.ts";
import type { Database } from "./database.ts";

/** How much of the audit log is where. */
export interface AuditBounds {
  /** Entries in one file. Default 10,000. */
  readonly fileEntries?: number;
  /** Entries that stay in the database. Default 200,000. */
  readonly keptEntries?: number;
  /** Files kept, the newest. Default 500. */
  readonly keptFiles?: number;
}

export interface AuditArchiveOptions extends AuditBounds {
  /** Of its own in the state directory; made when there is something to archive. */
  readonly folder: string;
  readonly clock: Clock;
}

interface Row {
  id: number;
  event: AuditEntry["event"];
  hash: string;
}

/**
 * Keeps the audit log in bounds: its oldest entries move to files, compressed
 * JSON lines, when everything in them has expired. A file is on the disk before
 * its entries leave the database, so that a crash leaves them in both places at
 * worst. When the oldest file has to go, the log says which and up to what entry.
 */
export class AuditArchive {
  readonly #options: Required<AuditArchiveOptions>;
  readonly #database: Database;
  readonly #append: (entry: AuditEntry) => void;
  #appended = 0;
  readonly #range;
  readonly #oldest;
  readonly #unexpired;
  readonly #files;
  readonly #addFile;
  readonly #deleteFile;
  readonly #delete;
  readonly #issued;

  constructor(options: AuditArchiveOptions, database: Database, append: (entry: AuditEntry) => void) {
    this.#options = { fileEntries: 10_000, keptEntries: 200_000, keptFiles: 500, ...options };
    this.#database = database;
    this.#append = append;
    const { sqlite } = database;
    this.#range = sqlite.prepare("SELECT min(id) AS first, max(id) AS last FROM audit");
    this.#oldest = sqlite.prepare("SELECT * FROM audit WHERE id < ? ORDER BY id");
    this.#unexpired = sqlite.prepare("SELECT 1 FROM audit WHERE id < ? AND expires_at_ms > ? LIMIT 1");
    this.#files = sqlite.prepare(
      "SELECT last_id, file FROM audit_archives WHERE file <> '' ORDER BY last_id",
    );
    this.#addFile = sqlite.prepare(
      "INSERT OR REPLACE INTO audit_archives (last_id, file, issued, last_hash) VALUES (?, ?, ?, ?)",
    );
    this.#deleteFile = sqlite.prepare("UPDATE audit_archives SET file = '' WHERE last_id = ?");
    this.#delete = sqlite.prepare("DELETE FROM audit WHERE id <= ?");
    this.#issued = sqlite.prepare("SELECT coalesce(sum(issued), 0) AS n FROM audit_archives");
  }

  /** Certificates issued by entries that have left the database. */
  get issued(): number {
    return (this.#issued.get() as { n: number }).n;
  }

  /** After each entry: looks now and then whether there are too many, outside the caller's transaction. */
  onAppended(): void {
    this.#appended += 1;
    if (this.#appended < Math.min(1_000, this.#options.fileEntries)) return;
    this.#appended = 0;
    setImmediate(() => {
      if (this.#database.isOpen) this.shorten();
    });
  }

  /** Moves the oldest entries to a file, where there are too many and all of them have expired. */
  shorten(): void {
    const { fileEntries, keptEntries, clock } = this.#options;
    const { first, last } = this.#range.get() as { first: number | null; last: number | null };
    if (first === null || last === null || last - first + 1 < keptEntries + fileEntries) return;
    const end = first + fileEntries;
    if (this.#unexpired.get(end, clock.now())) return;
    const rows = this.#oldest.all(end) as unknown as Row[];
    const file = `audit-${first}-${end - 1}.jsonl.gz`;
    this.#write(file, rows);
    const issued = rows.filter(({ event }) => event === "certificate issued").length;
    this.#database.transaction(() => {
      this.#addFile.run(end - 1, file, issued, rows.at(-1)?.hash ?? "");
      this.#delete.run(end - 1);
    });
    this.#forgetOldest();
  }

  #write(name: string, rows: readonly Row[]): void {
    const { folder } = this.#options;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, name);
    const bytes = gzipSync(rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const file = openSync(`${path}.next`, "w", 0o600);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(`${path}.next`, path);
    const directory = openSync(folder, "r");
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
  }

  #forgetOldest(): void {
    const { folder, keptFiles, clock } = this.#options;
    const files = this.#files.all() as { last_id: number; file: string }[];
    for (const { last_id, file } of files.slice(0, Math.max(0, files.length - keptFiles))) {
      this.#database.transaction(() => {
        this.#deleteFile.run(last_id);
        this.#append({
          atMs: clock.now(),
          event: "audit archive deleted",
          subject: file,
          authorizedBy: "control plane",
          address: "",
        });
      });
      rmSync(join(folder, file), { force: true });
    }
  }
}
