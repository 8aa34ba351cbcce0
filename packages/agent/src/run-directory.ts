import { chownSync, openSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { UserError } from "@weft/base/errors";
import { makeDirectory } from "@weft/base/make-directory";
import { reasonOf } from "@weft/base/system-error";
import type { Ids } from "./launch.ts";
import { sidecarId } from "./ports.ts";

/** Where one workload keeps what its processes share. */
export interface RunDirectory {
  readonly path: string;
  readonly bootstrapPath: string;
  readonly identityPath: string;
  /** In a folder of its own, which is the sidecar's user's alone. */
  readonly sdsSocketPath: string;
  /** The sidecar's last configuration, in a folder that is its user's alone. */
  readonly keptConfigPath: string;
  /** Beside it: where the sidecar shows its requests. */
  readonly requestsSocketPath: string;
  /** The last name table, beside the identity. */
  readonly keptNamesPath: string;
  readonly keptSettingsPath: string;
  /** The last bundles of other trust domains, beside it. */
  readonly keptBundlesPath: string;
  /** Beside it: the page of statistics of a sidecar that has only a part of them. */
  readonly statsSocketPath: string;
  /** Where an application without a sidecar finds the control plane; in a folder of its user's alone. */
  readonly xdsSocketPath: string;
  /** The SPIFFE Workload API, in a folder of the application's user's alone. */
  readonly workloadApiPath: string;
  /** The files such an application reads: bootstrap, certificates. */
  readonly grpcFolder: string;
}

/** Makes the folder where it is missing. Its own secrets are in folders of mode 0700. @throws UserError */
export function openRunDirectory(path: string): RunDirectory {
  try {
    makeDirectory(path, 0o755);
  } catch (thrown) {
    throw new UserError(`the run directory ${path} cannot be made: ${reasonOf(thrown)}`, {
      hint: "choose another with --run-dir",
    });
  }
  return {
    path,
    bootstrapPath: join(path, "bootstrap.yaml"),
    identityPath: join(path, "identity", "svid.json"),
    sdsSocketPath: join(path, "sds", "sds.sock"),
    keptConfigPath: join(path, "config", "kept-config"),
    requestsSocketPath: join(path, "config", "requests.sock"),
    keptNamesPath: join(path, "identity", "names.json"),
    keptSettingsPath: join(path, "identity", "proxy-settings.json"),
    keptBundlesPath: join(path, "identity", "bundles.json"),
    statsSocketPath: join(path, "sds", "stats.sock"),
    xdsSocketPath: join(path, "xds", "xds.sock"),
    workloadApiPath: join(path, "spiffe", "api.sock"),
    grpcFolder: join(path, "grpc"),
  };
}

/** Holds no secret: the sidecar's user must be able to read it. */
export function writeBootstrap(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o644 });
}

/** Makes the folder in which the sidecar keeps its configuration: its user's alone. */
export function openConfigFolder({ keptConfigPath }: RunDirectory, owner: Ids | undefined): void {
  const folder = dirname(keptConfigPath);
  makeDirectory(folder, 0o700);
  if (owner) chownSync(folder, owner.uid, owner.gid);
}

/** Forgets what an earlier run was told: it is for an identity, or a control plane, that is no longer ours. */
export function forgetKept(files: RunDirectory): void {
  const { keptConfigPath, keptNamesPath, keptSettingsPath, keptBundlesPath } = files;
  for (const path of [keptConfigPath, keptNamesPath, keptSettingsPath, keptBundlesPath]) {
    rmSync(path, { force: true });
  }
}

/** The sidecar's standard output is its access log. @throws UserError */
export function openAccessLog(file: string | undefined): number | "inherit" | "ignore" {
  if (file === undefined || file === "none") return "ignore";
  if (file === "-") return "inherit";
  try {
    return openSync(file, "a", 0o644);
  } catch (thrown) {
    throw new UserError(`--access-log ${file}: ${reasonOf(thrown)}`, {
      hint: "name a file that can be written",
    });
  }
}

/**
 * The first folder or file on the way to `path` that the sidecar's user may not
 * pass or read; undefined when it can be reached, as in any usual installation.
 */
export function obstacleFor(path: string, { isFile }: { readonly isFile: boolean }): string | undefined {
  const parts = path.split("/").filter((part) => part !== "");
  let current = "/";
  for (const [index, part] of ["", ...parts].entries()) {
    current = join(current, part);
    const { mode, uid, gid } = statSync(current);
    const needed = isFile && index === parts.length ? 4 : 1;
    const shift = uid === sidecarId ? 6 : gid === sidecarId ? 3 : 0;
    if (((mode >> shift) & needed) === 0) return current;
  }
  return undefined;
}

/** Linux's limit for the path of a Unix socket, without its final zero byte. */
const maxSocketPathBytes = 107;

/** @throws UserError */
export function refuseLongSocketPath(path: string): void {
  if (Buffer.byteLength(path) <= maxSocketPathBytes) return;
  throw new UserError(`the path of the socket is longer than ${maxSocketPathBytes} bytes: ${path}`, {
    hint: "choose a shorter --run-dir",
  });
}
