import {
  chmodSync,
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { UserError } from "@weft/base/errors";
import { makeDirectory } from "@weft/base/make-directory";
import { reasonOf } from "@weft/base/system-error";

/** A state directory that this process alone may use until it is closed or dies. */
export interface StateDirectory {
  readonly path: string;
  close(): void;
}

/**
 * Makes the directory when it is missing, keeps other users out of it, and
 * takes its lock. The kernel frees the lock when the process ends, however it
 * ends, so nothing stale is ever in the way.
 *
 * @throws UserError
 */
export function openStateDirectory(path: string): StateDirectory {
  prepare(path);
  const pidFile = join(path, "control-plane.pid");
  const lock = openLock(path);
  try {
    lock.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if ((error as { errcode?: number }).errcode !== 5) throw unusable(path, error);
    const pid = readPid(pidFile);
    throw new UserError(
      `another control plane${pid ? ` (pid ${pid})` : ""} is running on the state directory ${path}`,
      {
        hint: "stop it, or give this one another --state directory",
      },
    );
  }
  writeFileSync(pidFile, `${process.pid}\n`, { mode: 0o600 });
  let isOpen = true;
  return {
    path,
    close() {
      if (!isOpen) return;
      isOpen = false;
      rmSync(pidFile, { force: true });
      lock.close();
    },
  };
}

/** Creates a file only its owner can read; an existing one is made so. */
export function createPrivateFile(path: string): void {
  closeSync(openSync(path, "a", 0o600));
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
}

function openLock(path: string): DatabaseSync {
  const file = join(path, "control-plane.lock");
  try {
    createPrivateFile(file);
    return new DatabaseSync(file, { timeout: 0 });
  } catch (error) {
    throw unusable(path, error);
  }
}

function prepare(path: string): void {
  try {
    makeDirectory(path, 0o700);
    const { mode, uid } = statSync(path);
    if ((mode & 0o077) === 0) return;
    const isOurs = uid === process.getuid?.() && (mode & 0o1000) === 0;
    if (isOurs && readdirSync(path).length === 0) {
      chmodSync(path, 0o700);
      return;
    }
    throw new UserError(
      `the state directory ${path} is open to other users (mode ${(mode & 0o777).toString(8)}) and would hold private keys`,
      { hint: `chmod 700 ${path}, or name a directory of its own with --state` },
    );
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw unusable(path, error);
  }
}

function unusable(path: string, cause: unknown): UserError {
  return new UserError(`the state directory ${path} cannot be used: ${reasonOf(cause)}`, {
    hint: "name a directory this user may write with --state",
    cause,
  });
}

function readPid(file: string): string | undefined {
  try {
    return /^\d{1,10}/.exec(readFileSync(file, "utf8"))?.[0];
  } catch {
    return undefined;
  }
}
