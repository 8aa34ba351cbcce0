import { UserError } from "@weft/base/errors";
import type { AuditRecord } from "@weft/control/api/protocol";
import { Command, InvalidArgumentError } from "commander";
import { outputOption, printJson } from "../options/output-format.ts";
import { parseCount, parseDurationMs } from "../options/parse-values.ts";
import { apiClient, stateOption } from "../options/state-dir.ts";
import { formatTable, terminalWidth } from "../output/table.ts";

interface LogFlags {
  readonly state?: string;
  readonly output: string;
  readonly limit: number;
  readonly since?: number;
  readonly user?: string;
  readonly event?: string;
}

interface VerifyFlags {
  readonly state?: string;
  readonly output: string;
  readonly head?: string;
}

export function command(): Command {
  return new Command("audit")
    .summary("who did what, what was refused, and proof of it")
    .description(
      "Everything that was written: configuration, tokens, certificates, roots, revocations; by whom and from where,\n" +
        "and what was refused. Each entry holds a hash of itself and of the one before.",
    )
    .addCommand(logCommand())
    .addCommand(verifyCommand())
    .addHelpText("after", "\nExample:\n  $ weft audit log --since 1h --user alice\n  $ weft audit verify");
}

function logCommand(): Command {
  return new Command("log")
    .description("Shows the audit log, newest last.")
    .option("--since <time>", "only what is not older", parseDurationMs)
    .option("--user <name>", "only of whoever has this in their name")
    .option("--event <event>", "only this: 'configuration changed', 'refused', 'certificate issued' …")
    .option("--limit <count>", "how many entries", parseCount, 50)
    .addOption(stateOption())
    .addOption(outputOption())
    .addHelpText(
      "after",
      "\nExample:\n  $ weft audit log --since 24h --event refused\n  $ weft audit log --limit 1000 -o json | jq '.[] | select(.revision)'",
    )
    .action(async ({ since, user, event, limit, ...flags }: LogFlags) => {
      const entries = await apiClient(flags).auditLog({
        limit: Math.min(limit, maxEntries),
        sinceMs: since === undefined ? undefined : Date.now() - since,
        by: user,
        event,
      });
      const newestLast = entries.toReversed();
      if (flags.output === "json") return printJson(newestLast);
      const columns = [
        { title: "TIME", value: (entry: AuditRecord) => new Date(entry.atMs).toISOString() },
        { title: "EVENT", value: (entry: AuditRecord) => entry.event },
        { title: "BY", value: (entry: AuditRecord) => entry.authorizedBy, canShrink: true },
        { title: "FROM", value: (entry: AuditRecord) => entry.address || "-" },
        { title: "REVISION", value: (entry: AuditRecord) => String(entry.revision ?? "-") },
        { title: "SERIAL", value: (entry: AuditRecord) => entry.serial ?? "-", canShrink: true },
        { title: "SUBJECT", value: subjectOf, canShrink: true },
      ];
      process.stdout.write(formatTable(columns, newestLast, terminalWidth()));
    });
}

/** What the control plane gives at once. */
const maxEntries = 10_000;

function subjectOf({ subject, refusal }: AuditRecord): string {
  return refusal === undefined ? subject : `${subject}: ${refusal}`;
}

function verifyCommand(): Command {
  return new Command("verify")
    .description(
      "Reads the whole log, archives too, and says whether each entry is what was written. Note the head that it prints\n" +
        "somewhere else: with --head it is proved later that nothing up to it was changed, or cut off.",
    )
    .option("--head <id:hash>", "an entry that was noted before", parseHead)
    .addOption(stateOption())
    .addOption(outputOption(["text", "json"]))
    .addHelpText("after", "\nExample:\n  $ weft audit verify\n  $ weft audit verify --head 4711:9f3a…")
    .action(async (flags: VerifyFlags) => {
      const result = await apiClient(flags).verifyAudit(flags.head);
      if (flags.output === "json") printJson(result);
      const { isIntact, entries, unchained, head, problem } = result;
      if (!isIntact) {
        throw new UserError(`the audit log is not as it was written: ${problem}`, {
          hint: "keep the state directory as it is, and compare it with a backup",
        });
      }
      if (flags.output === "json") return;
      const older = unchained === 0 ? "" : `, after ${unchained} that are older than the chain`;
      process.stderr.write(`weft: ${entries} entries are as they were written${older}\n`);
      if (head) process.stdout.write(`${head.id}:${head.hash}\n`);
    });
}

function parseHead(text: string): string {
  if (/^\d{1,15}:[0-9a-f]{64}$/.test(text)) return text;
  throw new InvalidArgumentError("write ID:HASH, as 'weft audit verify' prints it.");
}
