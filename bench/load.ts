import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { UserError } from "@weft/base/errors";
import type { BenchCase } from "./cases.ts";

const run = promisify(execFile);

export interface LoadTools {
  readonly wrk: string;
  readonly h2load: string;
}

/** A gRPC request of one small message: uncompressed, its length, its bytes. */
export const grpcMessage = Buffer.from([0, 0, 0, 0, 32, ...Buffer.alloc(32, "m")]);
/** Where `makeFiles` leaves it for the load tools. */
export const grpcMessageFile = "request.grpc";

export interface LoadSettings {
  readonly url: string;
  readonly seconds: number;
  readonly connections: number;
  /** Working directory, with the certificates and `grpcMessageFile`. */
  readonly directory: string;
}

/** As many requests as the chain takes, until the time is up. */
export async function saturate(
  tools: LoadTools,
  one: BenchCase,
  settings: LoadSettings,
): Promise<{ readonly requests: number; readonly seconds: number }> {
  return one.protocol === "http1" ? saturateHttp1(tools, one, settings) : saturateHttp2(tools, one, settings);
}

async function saturateHttp1(
  tools: LoadTools,
  one: BenchCase,
  { url, seconds, connections, directory }: LoadSettings,
) {
  const host = one.authority ? ["-H", `Host: ${one.authority}`] : [];
  const turns = one.paths ? ["-s", writeTurns(directory, one.paths())] : [];
  const { stdout } = await run(tools.wrk, [
    ...["-t1", `-c${connections}`, `-d${seconds}s`, ...host, ...turns, url],
  ]);
  const done = /(\d+) requests in ([\d.]+)(m?s)/.exec(stdout);
  const failed = /Non-2xx or 3xx responses: (\d+)|Socket errors: (.+)/.exec(stdout);
  if (!done || failed) throw new UserError(`wrk reports failures:\n${stdout}`);
  return { requests: Number(done[1]), seconds: Number(done[2]) / (done[3] === "ms" ? 1_000 : 1) };
}

/** A script by which wrk asks for these paths in turn. */
function writeTurns(directory: string, paths: readonly string[]): string {
  const file = join(directory, "turns.lua");
  const list = paths.map((path) => JSON.stringify(path)).join(",\n");
  const request =
    "local i = 0\nfunction request()\n  i = i % #paths + 1\n  return wrk.format(nil, paths[i])\nend\n";
  writeFileSync(file, `local paths = {\n${list}\n}\n${request}`);
  return file;
}

async function saturateHttp2(tools: LoadTools, one: BenchCase, settings: LoadSettings) {
  const { url, seconds, connections, directory } = settings;
  const message =
    one.protocol === "grpc"
      ? ["-d", join(directory, grpcMessageFile), "-H", "content-type: application/grpc", "-H", "te: trailers"]
      : [];
  const { stdout } = await run(tools.h2load, [
    ...["-t1", `-c${connections}`, `-m${one.streams}`, "-D", String(seconds), ...message, url],
  ]);
  return { requests: checkedH2load(stdout), seconds };
}

export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Latency at a constant rate, whatever the answers take. */
export async function measureLatency(
  one: BenchCase,
  settings: LoadSettings & { readonly rate: number },
): Promise<Latency> {
  const { url, seconds, connections, rate } = settings;
  const client = join(import.meta.dirname, "constant-rate-client.ts");
  const args = [client, url, one.protocol, String(rate), String(seconds), String(connections)];
  if (one.authority) args.push(one.authority);
  const { stdout } = await run(process.execPath, args, { maxBuffer: 64 * 1024 * 1024 });
  const { failures, latencies } = JSON.parse(stdout) as { failures: number; latencies: number[] };
  if (failures > 0) {
    throw new UserError(
      `${failures} of ${rate * seconds} requests at ${rate}/s failed or were not answered`,
      {
        hint: "lower --rate, or free the machine of other work",
      },
    );
  }
  latencies.sort((a, b) => a - b);
  return { p50Ms: percentile(latencies, 0.5) / 1_000, p99Ms: percentile(latencies, 0.99) / 1_000 };
}

/** Runs `use` while `count` idle connections stand, each after one request. */
export async function holdConnections<T>(url: string, count: number, use: () => T): Promise<T> {
  const args = [join(import.meta.dirname, "connection-client.ts"), "idle", url, String(count)];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(child, "exit");
  try {
    const isOpen = await Promise.race([
      once(child.stdout, "data").then(() => true),
      exited.then(() => false),
    ]);
    if (!isOpen) throw new UserError(`${count} connections could not be opened`, { hint: "ulimit -n" });
    return use();
  } finally {
    child.stdin.end();
    await exited;
  }
}

/** New mutual-TLS connections with one request each, until the time is up; how many there were. */
export async function shakeHands({ url, seconds, directory }: LoadSettings): Promise<number> {
  const client = join(import.meta.dirname, "connection-client.ts");
  const { stdout } = await run(process.execPath, [client, "handshakes", url, String(seconds), directory]);
  return Number(stdout);
}

/** The smallest value that `share` of the ascending values do not exceed. */
export function percentile(ascending: readonly number[], share: number): number {
  return ascending[Math.max(0, Math.ceil(share * ascending.length) - 1)] ?? Number.NaN;
}

function checkedH2load(stdout: string): number {
  const total = /requests: .*?(\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored/.exec(stdout);
  if (!total || Number(total[3]) > 0 || Number(total[4]) > 0) {
    throw new UserError(`h2load reports failures:\n${stdout}`);
  }
  return Number(total[2]);
}
