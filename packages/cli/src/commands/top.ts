import { setTimeout as sleep } from "node:timers/promises";
import type { EdgeReport, EdgeRow } from "@weft/control/api/protocol";
import { Command, Option } from "commander";
import { outputOption } from "../options/output-format.ts";
import { stateOption } from "../options/state-dir.ts";
import { edgeName, isEnd } from "../output/edge-ends.ts";
import { signalColumns } from "../output/signal-columns.ts";
import { type SortKey, sortEdges, sortKeys } from "../output/sort-edges.ts";
import { type Column, formatTable, terminalWidth } from "../output/table.ts";
import { addSourceOptions, type SignalFlags, signalSource } from "../signals/signal-source.ts";

interface Flags extends SignalFlags {
  readonly output: string;
  readonly sort: SortKey;
}

const columns: readonly Column<EdgeRow>[] = [
  { title: "FROM", value: ({ from }) => edgeName(from), canShrink: true },
  { title: "TO", value: ({ to }) => edgeName(to), canShrink: true },
  ...signalColumns,
];

export function command(): Command {
  const built = new Command("top")
    .summary("the calls of this moment, sorted, live")
    .description(
      "Who calls whom now, the busiest first, again every second (of Prometheus every 5) until q or Ctrl-C. Keys change the order:\n" +
        "r rate, e errors, l latency (p99), t TCP connections, n names. Into a pipe, or with -o json, it writes one\n" +
        "table or one line of JSON every second.",
    )
    .argument("[name]", "only calls from or to this: NAME or NAMESPACE/NAME")
    .addOption(
      new Option("--by <what>", "what a line tells apart")
        .choices(["service", "workload", "version"])
        .default("service"),
    )
    .addOption(
      new Option("--sort <what>", "the order at first").choices(Object.keys(sortKeys)).default("rate"),
    );
  return addSourceOptions(built)
    .addOption(stateOption())
    .addOption(outputOption())
    .addHelpText("after", "\nExample:\n  $ weft top\n  $ weft top reviews --by version --sort latency")
    .action(async (name: string | undefined, flags: Flags, command: Command) => {
      const source = signalSource(flags, command);
      const isScreen = process.stdout.isTTY === true && flags.output !== "json";
      const keys = new Keys(flags.sort, isScreen);
      try {
        while (!keys.stop.aborted) {
          const report = await source.edges();
          const rows = report.rows.filter(
            ({ from, to }) => name === undefined || isEnd(from, name) || isEnd(to, name),
          );
          print({ ...report, rows: sortEdges(rows, keys.sort) }, flags, isScreen, keys.sort);
          await keys.wait(source.everyMs);
        }
      } finally {
        keys.close();
      }
    });
}

function print(report: EdgeReport, flags: Flags, isScreen: boolean, sort: SortKey): void {
  if (flags.output === "json") return void process.stdout.write(`${JSON.stringify(report)}\n`);
  const height = isScreen ? Math.max(1, (process.stdout.rows ?? 24) - 3) : report.rows.length;
  const table = formatTable(columns, report.rows.slice(0, height), terminalWidth());
  const help = `by ${sort}; r rate  e errors  l latency  t tcp  n names  q quit\n`;
  process.stdout.write(isScreen ? `\u001b[H\u001b[2J${help}${table}` : `${table}\n`);
}

/** What is typed while the table is shown. */
class Keys {
  sort: SortKey;
  readonly #stopping = new AbortController();
  #wake = new AbortController();
  readonly #isRaw: boolean;

  constructor(sort: SortKey, isScreen: boolean) {
    this.sort = sort;
    this.#isRaw = isScreen && process.stdin.isTTY === true;
    if (!this.#isRaw) return;
    process.stdin.setRawMode(true);
    process.stdin.on("data", this.#onKey);
  }

  get stop(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Ends early when a key was typed. */
  async wait(ms: number): Promise<void> {
    this.#wake = new AbortController();
    await sleep(ms, undefined, { signal: this.#wake.signal }).catch(() => {});
  }

  close(): void {
    if (!this.#isRaw) return;
    process.stdin.off("data", this.#onKey);
    process.stdin.setRawMode(false);
    process.stdin.pause();
  }

  readonly #onKey = (bytes: Buffer): void => {
    for (const key of bytes.toString("latin1")) {
      if (key === "q" || key === "\u0003") this.#stopping.abort();
      for (const [name, one] of Object.entries(sortKeys)) if (one.key === key) this.sort = name as SortKey;
    }
    this.#wake.abort();
  };
}
