import { formatDiagnostic } from "@weft/base/diagnostics";
import type { ApplyResult } from "@weft/control/api/change-protocol";
import type { ApiClient } from "@weft/control/api/client";
import type { SyncResult } from "@weft/control/api/protocol";
import { Option } from "commander";
import { printJson } from "../options/output-format.ts";
import { formatMs } from "../output/units.ts";

/** Made, but not acknowledged by every proxy. */
const notAcknowledged = 4;

/** How a command that changes configuration waits for the proxies. */
export interface WaitFlags {
  readonly wait?: boolean;
  readonly keep?: boolean;
  readonly timeout: number;
}

/** Of a change that was made, or would be. */
export interface ReportOptions extends WaitFlags {
  readonly output: string;
}

/** `--keep`: what `--wait` does without. */
export function keepOption(): Option {
  return new Option("--keep", "with --wait: let the change stand also when not every proxy takes it");
}

/** What the control plane is asked to confirm. */
export function confirmationOf({
  wait,
  keep,
  timeout,
}: WaitFlags): { readonly timeoutMs: number } | undefined {
  return wait && !keep ? { timeoutMs: timeout } : undefined;
}

/** Prints what a change did, waits for it where that was asked, and sets the exit code. */
export async function reportChange(
  api: ApiClient,
  result: ApplyResult,
  options: ReportOptions,
): Promise<void> {
  for (const diagnostic of result.diagnostics) process.stderr.write(`${formatDiagnostic(diagnostic)}\n`);
  if (options.output !== "json") {
    const suffix = result.dryRun ? " (dry run)" : "";
    for (const { kind, namespace, name, action } of result.resources) {
      process.stdout.write(`${kind} ${namespace}/${name} ${action}${suffix}\n`);
    }
  }
  const sync = await syncOf(api, result, options);
  if (sync) reportSync(sync, result.confirmed?.undone);
  if (options.output === "json") printJson(sync ? { ...result, sync } : result);
}

async function syncOf(
  api: ApiClient,
  { confirmed, dryRun, revision }: ApplyResult,
  { wait, timeout }: ReportOptions,
): Promise<SyncResult | undefined> {
  if (confirmed) return confirmed.sync;
  return wait && !dryRun ? await api.sync(revision, timeout) : undefined;
}

/** Says who has acknowledged a revision and who has not, and what became of it. */
export function reportSync(
  { revision, isSynced, acknowledged, waiting, elapsedMs }: SyncResult,
  undone?: NonNullable<ApplyResult["confirmed"]>["undone"],
): void {
  const total = acknowledged.length + waiting.length;
  if (isSynced) {
    const who =
      total === 0 ? "no proxy is connected" : `${total} ${total === 1 ? "proxy" : "proxies"} acknowledged`;
    process.stderr.write(`weft: revision ${revision}: ${who} after ${formatMs(elapsedMs)}\n`);
    return;
  }
  process.stderr.write(
    `weft: revision ${revision}: ${acknowledged.length} of ${total} proxies acknowledged\n`,
  );
  for (const { nodeId, state, error } of waiting) {
    process.stderr.write(`  ${nodeId}: ${state}${error ? `: ${error}` : ""}\n`);
  }
  process.stderr.write(`${outcome(undone)}\n`);
  process.exitCode = notAcknowledged;
}

function outcome(undone: NonNullable<ApplyResult["confirmed"]>["undone"]): string {
  if (!undone) return "  next: 'weft status' shows what each proxy holds; 'weft rollback' goes back";
  if ("revision" in undone) {
    return `weft: undone by revision ${undone.revision}: the mesh runs on as it was before\n  next: correct the files and apply again, or let it stand with --keep`;
  }
  return `weft: not undone: ${undone.problem}`;
}
