import type { RecalledRequest, TapLine } from "@weft/control/api/observe-protocol";
import { Command } from "commander";
import { outputOption } from "../options/output-format.ts";
import { parseCount, parseDurationMs } from "../options/parse-values.ts";
import { type RequestFilters, selectionOf, withRequestFilters } from "../options/request-filters.ts";
import { apiClient, stateOption } from "../options/state-dir.ts";
import { untilInterrupted } from "../options/until-interrupted.ts";
import { formatLogLine } from "../output/format-log-line.ts";
import { sayLost, sayUnseen } from "../output/say-unseen.ts";

interface Flags extends RequestFilters {
  readonly state?: string;
  readonly output: string;
  readonly since?: number;
  readonly follow?: boolean;
  readonly tail?: number;
  readonly maxRps: number;
}

export function command(): Command {
  return withRequestFilters(
    new Command("logs")
      .summary("what data planes logged of requests, and what they log now")
      .description(
        "Gathers access logs through the control plane, whether or not data planes write them anywhere: each\n" +
          "remembers its last 256 requests that failed and its last 256 others, of busy ones up to 50 in a second.\n" +
          "The text is Istio's format, which 'weft replay' and 'weft explain --log' read; -o wide begins each line\n" +
          "with the workload, and ends it with what decided.",
      )
      .argument("[workload]", "only data planes of this workload, deployment, service or app"),
  )
    .option("--since <time>", "only what ended within this time, e.g. 5m", parseDurationMs)
    .option("--tail <n>", "at most the last so many of what is remembered", parseCount)
    .option("-f, --follow", "go on with what is logged now, until Ctrl-C")
    .option("--max-rps <n>", "with --follow: requests in a second, of each data plane", parseCount, 1_000)
    .addOption(stateOption())
    .addOption(outputOption(["text", "wide", "json"]))
    .addHelpText(
      "after",
      "\nExample:\n  $ weft logs reviews --status 5xx --since 10m\n  $ weft logs --follow -o wide\n" +
        "  $ weft logs productpage -o json | jq .request.path",
    )
    .action(async (workload: string | undefined, flags: Flags) => {
      const api = apiClient(flags);
      const selection = selectionOf(workload, flags);
      const sinceMs = flags.since === undefined ? undefined : Math.floor(Date.now() - flags.since);
      const recall = async () => {
        const answer = await api.recall({ ...selection, ...(sinceMs !== undefined && { sinceMs }) });
        sayUnseen(answer.unseen);
        return flags.tail === undefined ? answer.requests : answer.requests.slice(-flags.tail);
      };
      if (!flags.follow) {
        for (const one of await recall()) print(one, flags.output);
        return;
      }
      const asked = { ...selection, maxPerSecond: flags.maxRps, endsOnly: true };
      const log = new FollowedLog(flags.output);
      await untilInterrupted(async (signal) => {
        for await (const line of api.tap(asked, signal)) log.onLine(line, recall);
      });
      sayLost(log.losses.lost ?? 0, log.losses.limited ?? 0);
    });
}

/** What is remembered first, then what comes, each once: watching begins before the memory is asked. */
class FollowedLog {
  losses: TapLine = {};
  readonly #output: string;
  #waiting: RecalledRequest[] | undefined = [];

  constructor(output: string) {
    this.#output = output;
  }

  onLine(line: TapLine, recall: () => Promise<readonly RecalledRequest[]>): void {
    if (line.lost !== undefined) this.losses = line;
    if (line.watching !== undefined) {
      void recall().then(
        (requests) => this.#begin(requests),
        () => this.#begin([]),
      );
    }
    const { event, workload = "" } = line;
    if (!event) return;
    const one = { workload, request: event.request };
    if (this.#waiting) this.#waiting.push(one);
    else print(one, this.#output);
  }

  #begin(requests: readonly RecalledRequest[]): void {
    const printed = new Set(requests.map(keyOf));
    for (const one of requests) print(one, this.#output);
    for (const one of this.#waiting ?? []) if (!printed.has(keyOf(one))) print(one, this.#output);
    this.#waiting = undefined;
  }
}

function keyOf({ workload, request }: RecalledRequest): string {
  return `${workload} ${request.id}`;
}

function print({ workload, request }: RecalledRequest, output: string): void {
  if (output === "json") process.stdout.write(`${JSON.stringify({ workload, request })}\n`);
  else if (output === "text") process.stdout.write(`${formatLogLine(request)}\n`);
  else {
    const { decidedBy, decidedOrigin } = request;
    const decided = [decidedBy, decidedOrigin].filter(Boolean).join("  ");
    process.stdout.write(`${workload}  ${formatLogLine(request)}${decided && `  ${decided}`}\n`);
  }
}
