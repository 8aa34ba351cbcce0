import type { Ids } from "../launch.ts";
import { sidecarId } from "../ports.ts";
import { obstacleFor } from "../run-directory.ts";

export interface SidecarNeeds {
  /** The program and, for a script, the script. */
  readonly programs: readonly string[];
  readonly runDir: string;
  /** It listens where its configuration says, low ports included. */
  readonly isGateway: boolean;
}

/**
 * Who the sidecar runs as. As root that is its own user, 1337. An installation
 * or run directory in a private folder can't be read by that user; the sidecar
 * then stays root, of group 1337 so that its traffic is known, and without
 * root's powers but reading files and taking low ports; `talk` says so.
 * Undefined, not being root: the current user.
 */
export function chooseSidecarUser(
  files: SidecarNeeds,
  isRoot: boolean,
  talk: (line: string) => void,
): Ids | undefined {
  if (!isRoot) return undefined;
  const obstacle =
    files.programs
      .map((program) => obstacleFor(program, { isFile: true }))
      .find((found) => found !== undefined) ?? obstacleFor(files.runDir, { isFile: false });
  if (obstacle === undefined) {
    const own = { uid: sidecarId, gid: sidecarId };
    return files.isGateway ? { ...own, granted: ["net_bind_service"] } : own;
  }
  talk(
    `the sidecar runs as root, because user ${sidecarId} may not read ${obstacle}; chmod o+rx it, or install elsewhere`,
  );
  return { uid: 0, gid: sidecarId, capabilities: ["dac_read_search", "net_bind_service"] };
}
