import { messageOf, UserError } from "@weft/base/errors";
import type { ApiClient } from "@weft/control/api/client";
import type { Registrations } from "@weft/control/api/mesh-protocol";
import type { EdgeReport, StatsGroup, StatsReport } from "@weft/control/api/protocol";
import { type LongSignalsOptions, longEdges, longStats } from "@weft/control/prometheus/long-signals";
import { PrometheusClient } from "@weft/control/prometheus/prometheus-client";
import { type Command, Option } from "commander";
import { parseDurationMs, parseHttpUrl } from "../options/parse-values.ts";
import { apiClient } from "../options/state-dir.ts";

export interface SignalFlags {
  readonly state?: string;
  readonly by: StatsGroup;
  /** Milliseconds; absent: as short as the source can. */
  readonly window?: number;
  readonly prometheus?: string;
}

/** Where golden signals come from: the control plane's own last minutes, or a Prometheus. */
export interface SignalSource {
  stats(): Promise<StatsReport>;
  edges(): Promise<EdgeReport>;
  /** Asked again sooner it says the same. */
  readonly everyMs: number;
}

/** As far back as the control plane itself remembers. */
const keptMs = 120_000;
const kept = { windowMs: 10_000, everyMs: 1_000 };
/** As the dashboard's PromQL: several scrapes in it; and a scrape is rarely nearer to the next. */
const scraped = { windowMs: 60_000, everyMs: 5_000 };
const answerMs = 30_000;

/** Adds `--window` and `--prometheus`. */
export function addSourceOptions(command: Command): Command {
  return command
    .option(
      "--window <time>",
      "how far back to look: 10s, at most 2m; of Prometheus 1m, or as long as it keeps",
      parseDurationMs,
    )
    .addOption(
      new Option(
        "--prometheus <url>",
        "ask this Prometheus instead of the control plane; from the environment only for more than 2m",
      )
        .env("WEFT_PROMETHEUS")
        .argParser(parseHttpUrl),
    );
}

/** @throws UserError for a window that nobody remembers */
export function signalSource(flags: SignalFlags, command: Command): SignalSource {
  const { by, window, prometheus } = flags;
  const isLong = window !== undefined && window > keptMs;
  const isAsked = command.getOptionValueSource("prometheus") === "cli";
  const api = apiClient(flags);
  if (prometheus !== undefined && (isAsked || isLong)) return prometheusSource(prometheus, flags, api);
  if (isLong) {
    throw new UserError(`--window: the control plane remembers ${keptMs / 60_000} minutes`, {
      hint: "for longer name a Prometheus that scrapes the mesh, with --prometheus or WEFT_PROMETHEUS",
      exitCode: 2,
    });
  }
  const asked = { by, windowSeconds: Math.ceil((window ?? kept.windowMs) / 1_000) };
  return { everyMs: kept.everyMs, stats: () => api.stats(asked), edges: () => api.edges(asked) };
}

function prometheusSource(url: string, { by, window }: SignalFlags, api: ApiClient): SignalSource {
  const client = new PrometheusClient({ url, timeoutMs: answerMs });
  const windowMs = window ?? scraped.windowMs;
  const shown = withoutLogin(url);
  const report = async <T>(make: (options: LongSignalsOptions) => Promise<T | undefined>): Promise<T> => {
    const registered = await registrations(api);
    const options = { ask: askOf(client, shown), by, windowMs, nowMs: Date.now(), registered };
    const made = await make(options);
    if (made !== undefined) return made;
    throw new UserError(`Prometheus at ${shown} has no calls of the mesh in the last ${windowMs / 1_000} s`, {
      hint: "see that it scrapes the sidecars, and keeps what it had so long: docs/observability.md",
    });
  };
  return { everyMs: scraped.everyMs, stats: () => report(longStats), edges: () => report(longEdges) };
}

function askOf(client: PrometheusClient, shown: string): LongSignalsOptions["ask"] {
  return async (query, atMs) => {
    try {
      return await client.ask(query, atMs);
    } catch (error) {
      throw new UserError(`Prometheus at ${shown}: ${messageOf(error)}`, {
        hint: "see --prometheus and WEFT_PROMETHEUS",
        exitCode: 3,
        cause: error,
      });
    }
  };
}

/** Without a control plane there is still what Prometheus knows. */
async function registrations(api: ApiClient): Promise<Registrations> {
  try {
    return await api.registrations();
  } catch (error) {
    if (!(error instanceof UserError) || error.exitCode !== 3) throw error;
    process.stderr.write(`weft: ${error.message}: nobody says how many instances there are\n`);
    return { trustDomain: "cluster.local", workloads: [] };
  }
}

function withoutLogin(url: string): string {
  const shown = new URL(url);
  shown.username = shown.password = "";
  return shown.href.replace(/\/$/, "");
}
