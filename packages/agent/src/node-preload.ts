import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "@weft/base/errors";
import { reasonOf } from "@weft/base/system-error";
import { obstacleFor } from "./run-directory.ts";

/**
 * Copies `preload` to the run directory, where the application's user can read
 * it wherever Weft is installed, and returns the `NODE_OPTIONS` that load it
 * after those in `inherited`. A Node that could not read it would not start,
 * so that is refused here.
 *
 * @throws UserError
 */
export function placeNodePreload(
  preload: string,
  runDirectory: string,
  inherited: string | undefined,
  hasOtherUser: boolean,
): string {
  const file = join(runDirectory, "trace-node.cjs");
  try {
    copyFileSync(preload, file);
  } catch (thrown) {
    throw new UserError(`--trace-node: ${preload} cannot be copied to ${file}: ${reasonOf(thrown)}`, {
      hint: "in a clone of the repository: npm run build",
    });
  }
  const obstacle = hasOtherUser ? obstacleFor(file, { isFile: true }) : undefined;
  if (obstacle) {
    throw new UserError(`--trace-node: the application's user may not pass ${obstacle}`, {
      hint: "choose another --run-dir",
    });
  }
  return addRequire(inherited, file);
}

/** `NODE_OPTIONS` that load one file more, which comes last: those before it may be what loads the others. */
export function addRequire(inherited: string | undefined, file: string): string {
  const quoted = /[\s"\\]/.test(file) ? `"${file.replace(/["\\]/g, "\\$&")}"` : file;
  return [inherited?.trim(), `--require ${quoted}`].filter(Boolean).join(" ");
}
