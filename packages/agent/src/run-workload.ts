import { UserError } from "@weft/base/errors";
import type { RunOptions } from "./run-options.ts";

export type { RunOptions } from "./run-options.ts";

/**
 * Runs one workload in the mesh and resolves with the application's exit code
 * (128 + signal number when a signal ended it), with everything cleaned up.
 * Rejects with a `UserError` when the workload cannot start.
 */
export async function runWorkload(options: RunOptions): Promise<number> {
  throw new UserError(`cannot run ${options.name} yet`);
}
