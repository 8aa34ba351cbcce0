import type { EdgeEnd, EdgeRow } from "@weft/control/api/protocol";
import { Command, Option } from "commander";
import { outputOption, printJson } from "../options/output-format.ts";
import { stateOption } from "../options/state-dir.ts";
import { edgeName, isEnd } from "../output/edge-ends.ts";
import { type Column, formatTable, terminalWidth } from "../output/table.ts";
import { formatRate, formatShare } from "../output/units.ts";
import { addSourceOptions, type SignalFlags, signalSource } from "../signals/signal-source.ts";

interface Flags extends SignalFlags {
  readonly output: string;
  readonly namespace?: string;
}

const columns: readonly Column<EdgeRow>[] = [
  { title: "FROM", value: ({ from }) => edgeName(from) },
  { title: "TO", value: ({ to }) => edgeName(to) },
  { title: "SECURED", value: (row) => formatShare(row.securedRate), align: "right" },
  { title: "RPS", value: (row) => formatRate(row.requestsPerSecond), align: "right" },
  { title: "SUCCESS", value: (row) => formatShare(row.successRate), align: "right" },
  { title: "DENIED/S", value: (row) => formatRate(row.deniedPerSecond), align: "right" },
  { title: "TCP", value: (row) => String(row.tcpConnections), align: "right" },
  { title: "CLIENT", value: ({ from }) => identity(from), canShrink: true },
  { title: "SERVER", value: ({ to }) => identity(to), canShrink: true },
];

export function command(): Command {
  const built = new Command("edges")
    .summary("who talks to whom, as whom, and whether it is secured")
    .description(
      "One line for each pair that had calls or open connections in the last seconds. CLIENT is the identity that\n" +
        "the server has seen in the caller's certificate; SECURED the share of calls over mutual TLS; DENIED/S what\n" +
        "was answered with 403 or PERMISSION_DENIED. Ends outside the mesh are named by host, or 'unknown'.",
    )
    .argument("[name]", "only edges that begin or end here: NAME or NAMESPACE/NAME")
    .addOption(
      new Option("--by <what>", "what an end is")
        .choices(["service", "workload", "version"])
        .default("service"),
    );
  return addSourceOptions(built)
    .option("-n, --namespace <name>", "only edges that begin or end in this namespace")
    .addOption(stateOption())
    .addOption(outputOption())
    .addHelpText(
      "after",
      "\nExample:\n  $ weft edges\n  $ weft edges reviews --by version\n  $ weft edges -o json | jq '.rows[] | select(.securedRate < 1)'\n  $ weft edges --window 24h --prometheus http://127.0.0.1:9090",
    )
    .action(async (name: string | undefined, flags: Flags, command: Command) => {
      const report = await signalSource(flags, command).edges();
      const rows = report.rows.filter(
        ({ from, to }) =>
          (name === undefined || isEnd(from, name) || isEnd(to, name)) &&
          (flags.namespace === undefined || [from, to].some((end) => end.namespace === flags.namespace)),
      );
      if (flags.output === "json") return printJson({ ...report, rows });
      process.stdout.write(formatTable(columns, rows, terminalWidth()));
      if (rows.length === 0) {
        process.stderr.write(
          `weft: nobody has called anybody in the last ${report.windowSeconds} s; 'weft stat' shows who is there\n`,
        );
      }
    });
}

function identity(end: EdgeEnd): string {
  return end.identity || "-";
}
