import type { TapLine } from "@weft/control/api/observe-protocol";
import { Command } from "commander";
import { outputOption } from "../options/output-format.ts";
import { parseCount } from "../options/parse-values.ts";
import { type RequestFilters, selectionOf, withRequestFilters } from "../options/request-filters.ts";
import { apiClient, stateOption } from "../options/state-dir.ts";
import { untilInterrupted } from "../options/until-interrupted.ts";
import { formatTap } from "../output/format-tap.ts";
import { sayLost, sayUnseen } from "../output/say-unseen.ts";

interface Flags extends RequestFilters {
  readonly state?: string;
  readonly output: string;
  readonly maxRps: number;
}

export function command(): Command {
  return withRequestFilters(
    new Command("tap")
      .summary("requests as they happen, one line for each part of each")
      .description(
        "Shows the requests that data planes take in and send out: when one is sent on (req), when its answer\n" +
          "begins (rsp) and when it is over (end), until Ctrl-C. Both ends of a call are shown, where both have a\n" +
          "data plane; --direction shows one. Bodies are never shown, nor parameters whose name says that they are\n" +
          "secret. Of Envoy only what is over is seen. What is not read in time is lost and counted.",
      )
      .argument("[workload]", "only data planes of this workload, deployment, service or app"),
  )
    .option("--max-rps <n>", "requests in a second, of each data plane", parseCount, 100)
    .addOption(stateOption())
    .addOption(outputOption(["text", "wide", "json"]))
    .addHelpText(
      "after",
      "\nExample:\n  $ weft tap reviews\n  $ weft tap --from productpage --to reviews --status 5xx -o wide\n" +
        "  $ weft tap -o json | jq 'select(.event.phase == \"end\") | .event.request.durationMs'",
    )
    .action(async (workload: string | undefined, flags: Flags) => {
      const asked = { ...selectionOf(workload, flags), maxPerSecond: flags.maxRps };
      const proxies = new Map<string, number>();
      let losses: TapLine = {};
      const onLine = (line: TapLine) => {
        if (line.watching !== undefined) sayUnseen(line.unseen);
        if (line.lost !== undefined) losses = line;
        if (flags.output === "json") process.stdout.write(`${JSON.stringify(line)}\n`);
        else if (line.event) {
          const { workload: of = "" } = line;
          const proxy = proxies.get(of) ?? proxies.size;
          proxies.set(of, proxy);
          process.stdout.write(`${formatTap(line.event, proxy, flags.output === "wide")}\n`);
        }
      };
      await untilInterrupted(async (signal) => {
        for await (const line of apiClient(flags).tap(asked, signal)) onLine(line);
      });
      sayLost(losses.lost ?? 0, losses.limited ?? 0);
    });
}
