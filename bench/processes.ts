import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "@weft/base/errors";
import type { Protocol } from "./cases.ts";

/** A command that takes a bootstrap file and becomes a proxy. */
export interface ProxyProgram {
  readonly name: string;
  /** The file under `bench/bootstraps` it takes in place of an Envoy bootstrap. */
  template?(bootstrap: string): string;
  command(bootstrap: string): readonly [program: string, ...args: string[]];
}

export interface Running {
  readonly name: string;
  readonly pid: number;
  stop(): Promise<void>;
}

export async function startUpstream(
  port: number,
  responseBytes: number,
  protocol: Protocol,
): Promise<Running> {
  const program = protocol === "http1" ? "upstream.ts" : "upstream-http2.ts";
  const args = [String(port), String(responseBytes), protocol];
  const child = fork(join(import.meta.dirname, program), args);
  await once(child, "message");
  return running("upstream", child);
}

/** Starts a proxy with its output in `<bootstrap>.log`. */
export function startProxy(program: ProxyProgram, bootstrap: string): Running & { readonly log: string } {
  const [command, ...args] = program.command(bootstrap);
  const log = `${bootstrap}.${program.name}.log`;
  const output = openSync(log, "w");
  const child = spawn(command, args, { stdio: ["ignore", output, output] });
  return { ...running(program.name, child), log };
}

function running(name: string, child: ChildProcess): Running {
  return {
    name,
    pid: child.pid ?? 0,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 3_000);
      await gone;
      clearTimeout(timer);
    },
  };
}

/** Waits until `isServing` says so, or says what the proxy wrote instead. */
export async function waitReady(
  url: string,
  proxy: Running & { readonly log: string },
  isServing: () => Promise<string>,
): Promise<void> {
  const deadline = performance.now() + 60_000;
  let last = "";
  while (performance.now() < deadline) {
    last = await isServing();
    if (last === "") return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const tail = readFileSync(proxy.log, "utf8").trimEnd().split("\n").slice(-8).join("\n");
  throw new UserError(`${proxy.name} does not answer at ${url} (${last}); its last words:\n${tail}`, {
    hint: "run again with --keep and start it by hand on the bootstrap file",
  });
}

/** CPU time a process and its descendants have used, in microseconds, from /proc (resolution 10 ms). */
export function cpuMicroseconds(pid: number): number {
  const microsecondsPerTick = 10_000;
  let ticks = 0;
  for (const member of withDescendants(pid)) {
    const stat = readFileSync(`/proc/${member}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks * microsecondsPerTick;
}

/** Resident memory of a process and its descendants, in bytes. */
export function residentBytes(pid: number): number {
  let bytes = 0;
  for (const member of withDescendants(pid)) {
    const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${member}/status`, "utf8"));
    bytes += Number(match?.[1] ?? 0) * 1024;
  }
  return bytes;
}

function withDescendants(pid: number): number[] {
  const found = [pid];
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const children = readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").trim();
    if (children !== "")
      for (const child of children.split(" ")) found.push(...withDescendants(Number(child)));
  }
  return found;
}
