import { DatabaseSync } from "node:sqlite";
import { messageOf, UserError } from "@weft/base/errors";
import { migrations } from "./schema.ts";
import { createPrivateFile } from "./state-directory.ts";

/** One caller's share of a common transaction. */
interface GroupedWork {
  /** Does the work and returns how to tell the caller, once it is on the disk. */
  readonly attempt: () => () => void;
  /** Tells the caller that nothing reached the disk. */
  readonly reject: (error: unknown) => void;
}

/**
 * The embedded database. What a transaction wrote is on the disk when it
 * returns (WAL with synchronous=FULL): neither `kill -9` nor a power cut takes
 * it back.
 */
export class Database {
  readonly sqlite: DatabaseSync;
  #waiting: GroupedWork[] = [];

  /** @throws UserError when the file is no database, or one of a newer Weft. */
  constructor(path: string) {
    createPrivateFile(path);
    this.sqlite = new DatabaseSync(path, { timeout: 2_000 });
    try {
      this.sqlite.exec(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON",
      );
      this.#migrate(path);
    } catch (error) {
      this.sqlite.close();
      if (error instanceof UserError) throw error;
      throw new UserError(`the database ${path} cannot be used: ${messageOf(error)}`, {
        hint: "restore it from a backup, or start with another --state directory",
        cause: error,
      });
    }
  }

  /** Runs all of it or, when it throws, nothing of it. */
  transaction<T>(run: () => T): T {
    this.sqlite.exec("BEGIN IMMEDIATE");
    try {
      const result = run();
      this.sqlite.exec("COMMIT");
      return result;
    } catch (error) {
      if (this.sqlite.isTransaction) this.sqlite.exec("ROLLBACK");
      throw error;
    }
  }

  /**
   * As `transaction`, for work that many ask for at once: all that is waiting
   * when the event loop comes round shares one write to the disk. One that
   * throws undoes only itself.
   */
  grouped<T>(run: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const attempt = () => {
        try {
          const result = this.#savepoint(run);
          return () => resolve(result);
        } catch (error) {
          return () => reject(error);
        }
      };
      if (this.#waiting.push({ attempt, reject }) === 1) setImmediate(() => this.#commitGroup());
    });
  }

  get isOpen(): boolean {
    return this.sqlite.isOpen;
  }

  close(): void {
    this.#commitGroup();
    this.sqlite.close();
  }

  #commitGroup(): void {
    const works = this.#waiting;
    if (works.length === 0) return;
    this.#waiting = [];
    try {
      const answers = this.transaction(() => works.map(({ attempt }) => attempt()));
      for (const answer of answers) answer();
    } catch (error) {
      for (const { reject } of works) reject(error);
    }
  }

  #savepoint<T>(run: () => T): T {
    this.sqlite.exec("SAVEPOINT one");
    try {
      const result = run();
      this.sqlite.exec("RELEASE one");
      return result;
    } catch (error) {
      this.sqlite.exec("ROLLBACK TO one; RELEASE one");
      throw error;
    }
  }

  #migrate(path: string): void {
    const row = this.sqlite.prepare("PRAGMA user_version").get() as { user_version: number };
    if (row.user_version > migrations.length) {
      throw new UserError(`the database ${path} was written by a newer version of Weft`, {
        hint: "start that version, or another --state directory",
      });
    }
    for (let step = row.user_version; step < migrations.length; step++) {
      this.transaction(() => {
        this.sqlite.exec(migrations[step]!);
        this.sqlite.exec(`PRAGMA user_version = ${step + 1}`);
      });
    }
  }
}
