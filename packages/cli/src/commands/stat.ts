import { setTimeout as sleep } from "node:timers/promises";
import type { StatsReport, StatsRow } from "@weft/control/api/protocol";
import { Command, Option } from "commander";
import { outputOption, printJson } from "../options/output-format.ts";
import { stateOption } from "../options/state-dir.ts";
import { signalColumns } from "../output/signal-columns.ts";
import { statsOfEdges } from "../output/stats-of-edges.ts";
import { type Column, formatTable, terminalWidth } from "../output/table.ts";
import { formatShare } from "../output/units.ts";
import { addSourceOptions, type SignalFlags, signalSource } from "../signals/signal-source.ts";

interface Flags extends SignalFlags {
  readonly output: string;
  readonly namespace?: string;
  readonly from?: string;
  readonly to?: string;
  readonly watch?: boolean;
}

const columns: readonly Column<StatsRow>[] = [
  { title: "NAMESPACE", value: (row) => row.namespace },
  { title: "NAME", value: (row) => row.name },
  { title: "MESHED", value: (row) => `${row.meshed}/${row.instances}`, align: "right" },
  ...signalColumns,
  { title: "SECURED", value: (row) => formatShare(row.securedRate), align: "right" },
];

export function command(): Command {
  const built = new Command("stat")
    .summary("golden signals: success, requests per second, latency")
    .description(
      "What each service answered in the last seconds, as its own sidecars counted it, and the calls to it\n" +
        "that ended before it could answer, as its callers' sidecars did. SUCCESS is the share of calls that ended\n" +
        "in no server error. Versions and workloads show what reached them. It works without Prometheus; with one\n" +
        "(--prometheus) it looks back as far as that does.",
    )
    .argument("[name]", "only the service, workload or version of this name")
    .addOption(
      new Option("--by <what>", "one line for each")
        .choices(["service", "workload", "version"])
        .default("service"),
    );
  return addSourceOptions(built)
    .option("-n, --namespace <name>", "only this namespace")
    .option("--from <name>", "what this calls, and of it only those calls: NAME or NAMESPACE/NAME")
    .option("--to <name>", "who calls this, and of it only those calls; with --from only this")
    .option("-w, --watch", "show it again every second (of Prometheus every 5) until Ctrl-C")
    .addOption(stateOption())
    .addOption(outputOption())
    .addHelpText(
      "after",
      "\nExample:\n  $ weft stat\n  $ weft stat --by version --watch\n  $ weft stat reviews -o json\n  $ weft stat --from productpage\n  $ weft stat --to reviews --by version\n  $ weft stat --window 24h --prometheus http://127.0.0.1:9090",
    )
    .action(async (name: string | undefined, flags: Flags, command: Command) => {
      const source = signalSource(flags, command);
      do {
        const report = await source.stats();
        const isOfEdges = flags.from !== undefined || flags.to !== undefined;
        const all = isOfEdges ? statsOfEdges(report.rows, await source.edges(), flags) : report.rows;
        const rows = all.filter(
          (row) =>
            (name === undefined || row.name === name || row.service === name) &&
            (flags.namespace === undefined || row.namespace === flags.namespace),
        );
        print({ ...report, rows }, flags);
        if (flags.watch) await sleep(source.everyMs);
      } while (flags.watch);
    });
}

function print(report: StatsReport, flags: Flags): void {
  if (flags.output === "json") {
    if (flags.watch) process.stdout.write(`${JSON.stringify(report)}\n`);
    else printJson(report);
    return;
  }
  const table = formatTable(columns, report.rows, terminalWidth());
  const isScreen = flags.watch && process.stdout.isTTY;
  process.stdout.write(isScreen ? `\u001b[H\u001b[2J${table}` : table);
  if (report.rows.length === 0) {
    const why =
      flags.from === undefined && flags.to === undefined
        ? "no workload is registered; 'weft run' starts a program in the mesh"
        : "there were no such calls; 'weft edges' shows who calls whom";
    process.stderr.write(`weft: ${why}\n`);
  }
  if (report.droppedSeries > 0) {
    process.stderr.write(`weft: ${report.droppedSeries} series were not kept: a workload sends too many\n`);
  }
}
