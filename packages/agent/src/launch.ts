import { type SpawnOptions, spawnSync } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join, resolve } from "node:path";
import { UserError } from "@weft/base/errors";
import { sidecarId } from "./ports.ts";

/** Who a child process runs as. */
export interface Ids {
  readonly uid: number;
  readonly gid: number;
  /** The only capabilities it may ever have, by setpriv's names; absent: whatever the user has. */
  readonly capabilities?: readonly string[];
  /** Capabilities that it has although it is not root. Needs setpriv. */
  readonly granted?: readonly string[];
}

export interface AppUser extends Ids {
  /** HOME, USER and LOGNAME, where the user was asked for by name. */
  readonly env: Readonly<Record<string, string>>;
}

/** A program with everything that precedes it, ready for `spawn(file, args, options)`. */
export interface Launch {
  readonly file: string;
  readonly args: readonly string[];
  readonly options: Pick<SpawnOptions, "uid" | "gid">;
}

/**
 * Wraps a command so that it runs as `ids` and is sent `onParentDeath` when this
 * process dies, even by SIGKILL: nothing of a workload outlives its agent.
 *
 * Both are done by `setpriv` (util-linux), which also gives the user's own
 * supplementary groups. Without it the ids are set by Node, and the groups are dropped.
 */
export function buildLaunch(
  command: readonly string[],
  ids: Ids | undefined,
  onParentDeath: "SIGTERM" | "SIGKILL",
  setpriv: string | undefined,
): Launch {
  const [file, ...args] = command as [string, ...string[]];
  if (!setpriv) return { file, args, options: ids ? { uid: ids.uid, gid: ids.gid } : {} };
  const identity = ids ? [`--reuid=${ids.uid}`, `--regid=${ids.gid}`, groupsFlag(ids)] : [];
  return {
    file: setpriv,
    args: [
      ...identity,
      ...boundingSet(ids),
      ...grants(ids),
      `--pdeathsig=${onParentDeath.slice(3)}`,
      "--",
      file,
      ...args,
    ],
    options: {},
  };
}

function boundingSet(ids: Ids | undefined): string[] {
  if (!ids?.capabilities) return [];
  return [`--bounding-set=${["-all", ...ids.capabilities.map((name) => `+${name}`)].join()}`];
}

function grants({ granted = [] }: Partial<Ids> = {}): string[] {
  if (granted.length === 0) return [];
  const list = granted.map((name) => `+${name}`).join();
  return [`--inh-caps=${list}`, `--ambient-caps=${list}`];
}

function groupsFlag({ uid }: Ids): string {
  // --init-groups needs an entry in the user database; uid 1337 has none.
  return uid !== sidecarId && lookUpUser(String(uid)) ? "--init-groups" : "--clear-groups";
}

/**
 * Who the application runs as: the user asked for, else whoever called `sudo`,
 * else the current user. Undefined when this process is not root and so can't change.
 *
 * @throws UserError for an unknown user, and for the sidecar's own, whose traffic is never captured
 */
export function resolveAppUser(asked: string | undefined, isRoot: boolean): AppUser | undefined {
  if (!isRoot) {
    if (asked === undefined) return undefined;
    throw new UserError("--user needs root", { hint: "run with sudo, or leave it out" });
  }
  const sudoUid = process.env.SUDO_UID;
  if (asked === undefined) {
    return { uid: Number(sudoUid ?? 0), gid: Number(process.env.SUDO_GID ?? sudoUid ?? 0), env: {} };
  }
  const user = lookUpUser(asked);
  if (!user && !/^\d+$/.test(asked)) {
    throw new UserError(`--user ${asked}: no such user`, {
      hint: "a name or a numeric user id of this machine",
    });
  }
  const ids = user ?? { uid: Number(asked), gid: Number(asked), env: {} };
  if (ids.uid === sidecarId || ids.gid === sidecarId) {
    throw new UserError(`--user ${asked}: id ${sidecarId} is the sidecar's`, {
      hint: "its traffic is never captured; choose another user",
    });
  }
  return ids;
}

function lookUpUser(nameOrUid: string): AppUser | undefined {
  const { status, stdout } = spawnSync("getent", ["passwd", nameOrUid], { encoding: "utf8", timeout: 5_000 });
  const [name, , uid, gid, , home] = status === 0 ? stdout.split("\n")[0]!.split(":") : [];
  if (!name || !uid || !gid) return undefined;
  return { uid: Number(uid), gid: Number(gid), env: { HOME: home || "/", USER: name, LOGNAME: name } };
}

/** The file a command names, by the rules of execvp(3), or undefined. */
export function findExecutable(name: string, path = process.env.PATH ?? ""): string | undefined {
  const candidates = name.includes("/")
    ? [isAbsolute(name) ? name : resolve(name)]
    : path.split(delimiter).map((folder) => join(folder || ".", name));
  return candidates.find((candidate) => {
    try {
      accessSync(candidate, constants.X_OK);
      return statSync(candidate).isFile();
    } catch {
      return false;
    }
  });
}
