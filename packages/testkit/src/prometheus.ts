import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.ts";
import { findPeer } from "./peer.ts";

/** A running Prometheus. */
export interface Prometheus {
  readonly url: string;
  close(): Promise<void>;
}

const programs = { server: findPeer("prometheus"), tool: findPeer("promtool") };

/** False: there is no Prometheus on this machine. */
export const hasPrometheus: boolean = programs.server !== undefined && programs.tool !== undefined;

export interface PrometheusOptions {
  /** What it remembers: OpenMetrics text with timestamps. */
  readonly history?: string;
  /** `host:port` whose `/stats/prometheus` it reads every second. */
  readonly targets?: readonly string[];
  /** As `--enable-feature` names them. */
  readonly features?: readonly string[];
}

/** Starts one; resolves when it answers. */
export async function startPrometheus({
  history,
  targets = [],
  features = [],
}: PrometheusOptions): Promise<Prometheus> {
  const directory = mkdtempSync(join(tmpdir(), "weft-prometheus-"));
  const data = join(directory, "data");
  const scrape = {
    job_name: "weft",
    metrics_path: "/stats/prometheus",
    static_configs: [{ targets }],
  };
  const config = { global: { scrape_interval: "1s" }, scrape_configs: [scrape] };
  writeFileSync(join(directory, "prometheus.yml"), JSON.stringify(config));
  if (history !== undefined) {
    writeFileSync(join(directory, "history.om"), history);
    const backfill = ["tsdb", "create-blocks-from", "openmetrics", join(directory, "history.om"), data];
    execFileSync(programs.tool!, backfill, { stdio: "pipe" });
  }
  const address = `127.0.0.1:${await freePort()}`;
  const child = spawn(
    programs.server!,
    [
      `--config.file=${join(directory, "prometheus.yml")}`,
      `--storage.tsdb.path=${data}`,
      `--web.listen-address=${address}`,
      ...(features.length > 0 ? [`--enable-feature=${features.join(",")}`] : []),
    ],
    { stdio: "ignore" },
  );
  const url = `http://${address}`;
  const close = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const over = once(child, "exit");
      child.kill("SIGKILL");
      await over;
    }
    rmSync(directory, { recursive: true, force: true });
  };
  for (let tries = 0; tries < 1_200; tries++) {
    const answer = await fetch(`${url}/-/ready`).catch(() => undefined);
    if (answer?.ok) return { url, close };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await close();
  throw new Error("Prometheus does not answer");
}
