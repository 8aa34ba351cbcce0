import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sidecarNodeFlags } from "../../packages/cli/src/weft-command.ts";
import type { Area } from "./case.ts";
import { type Divergence, judge } from "./divergences.ts";
import { type Outcome, runConfig } from "./run-config.ts";
import type { ProxyProgram } from "./running-proxy.ts";

/** The two proxies as their users run them: Envoy's binary, and the built `weft proxy`. */
export function programs(envoy: string): Readonly<Record<ProxyProgram["name"], ProxyProgram>> {
  const main = join(import.meta.dirname, "..", "..", "packages", "cli", "dist", "main.js");
  const flags = ["--concurrency", "1", "--disable-hot-restart", "--file-flush-interval-msec", "20"];
  return {
    envoy: { name: "envoy", command: [envoy, ...flags, "--log-level", "warning"] },
    weft: { name: "weft", command: [process.execPath, ...sidecarNodeFlags, main, "proxy"] },
  };
}

/** Configurations at work at the same time: a machine with two cores is busy with that. */
const configsAtOnce = 2;

/** How often cases that were not as listed are tried once more. */
const furtherTries = 2;

/**
 * Runs all cases, and those that are not as `divergences` says again, by
 * themselves: on a busy machine either proxy can run into a timeout that a case
 * is not about. What the proxies really do differently, they do every time.
 */
export async function runJudged(
  areas: readonly Area[],
  envoy: string,
  divergences: readonly Divergence[],
  onConfigDone?: (config: string, elapsedMs: number) => void,
  keptDirectory?: string,
): Promise<{ readonly outcomes: readonly Outcome[]; readonly problems: ReadonlyMap<string, string> }> {
  const outcomes = new Map<string, Outcome>();
  let again = areas;
  for (let tries = 0; ; tries++) {
    for (const outcome of await runSuite(again, envoy, onConfigDone, keptDirectory)) {
      outcomes.set(outcome.name, outcome);
    }
    const problems = new Map(
      judge([...outcomes.values()], divergences).map(({ name, problem }) => [name, problem]),
    );
    if (problems.size === 0 || tries === furtherTries) return { outcomes: [...outcomes.values()], problems };
    again = areas
      .map((area) => ({ ...area, cases: area.cases.filter(({ name }) => problems.has(name)) }))
      .filter(({ cases }) => cases.length > 0);
  }
}

/** Runs all cases of all areas, each configuration in a pair of proxies of its own. */
async function runSuite(
  areas: readonly Area[],
  envoy: string,
  onConfigDone: (config: string, elapsedMs: number) => void = () => {},
  keptDirectory?: string,
): Promise<readonly Outcome[]> {
  const directory = keptDirectory ?? mkdtempSync(join(tmpdir(), "weft-differential-"));
  const byConfig = Map.groupBy(areas, ({ config }) => config);
  const waiting = [...byConfig];
  const outcomes: Outcome[] = [];
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [config, members] = next;
      const startMs = performance.now();
      outcomes.push(...(await runConfig(config, members, programs(envoy), directory)));
      onConfigDone(config, performance.now() - startMs);
    }
  };
  try {
    await Promise.all(Array.from({ length: configsAtOnce }, work));
  } finally {
    if (keptDirectory === undefined) rmSync(directory, { recursive: true });
  }
  return outcomes;
}
