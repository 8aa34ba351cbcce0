import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sidecarNodeFlags } from "../../packages/cli/src/weft-command.ts";
import type { Area } from "./case.ts";
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

/** Runs all cases of all areas, each configuration in a pair of proxies of its own. */
export async function runSuite(
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
