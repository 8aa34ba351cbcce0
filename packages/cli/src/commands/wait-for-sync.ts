import type { ApiClient } from "@weft/control/api/client";
import type { SyncResult } from "@weft/control/api/protocol";
import { formatMs } from "../output/units.ts";

/** Applied, but not acknowledged by every proxy. */
const notAcknowledged = 4;

/** Waits until every proxy has acknowledged the revision, says who has not, and sets the exit code. */
export async function waitForSync(api: ApiClient, revision: number, timeoutMs: number): Promise<SyncResult> {
  const result = await api.sync(revision, timeoutMs);
  const total = result.acknowledged.length + result.waiting.length;
  if (result.isSynced) {
    const who =
      total === 0 ? "no proxy is connected" : `${total} ${total === 1 ? "proxy" : "proxies"} acknowledged`;
    process.stderr.write(`weft: revision ${revision}: ${who} after ${formatMs(result.elapsedMs)}\n`);
    return result;
  }
  process.stderr.write(
    `weft: revision ${revision}: ${result.acknowledged.length} of ${total} proxies acknowledged\n`,
  );
  for (const { nodeId, state, error } of result.waiting) {
    process.stderr.write(`  ${nodeId}: ${state}${error ? `: ${error}` : ""}\n`);
  }
  process.stderr.write(
    "  next: 'weft status' shows what each proxy holds; apply the earlier version to go back\n",
  );
  process.exitCode = notAcknowledged;
  return result;
}
