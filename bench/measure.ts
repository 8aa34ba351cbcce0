import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BenchCase } from "./cases.ts";
import { type LoadTools, measureLatency, saturate } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import {
  cpuMicroseconds,
  freePorts,
  type ProxyProgram,
  type Running,
  residentBytes,
  startProxy,
  startUpstream,
  waitReady,
} from "./processes.ts";

/** One proxy in one round. CPU and memory are sums over the hops. */
export interface Sample {
  readonly cpuPerRequestUs: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly rssMb: number;
}

export interface CaseResult {
  readonly name: string;
  readonly title: string;
  /** Proxy name → one sample per round. The baseline comes first. */
  readonly samples: Readonly<Record<string, readonly Sample[]>>;
}

interface Chain {
  readonly program: ProxyProgram;
  readonly label: string;
  readonly url: string;
  readonly hops: readonly Running[];
}

/** Long enough for a just-in-time compiler to have seen the hot path. */
const warmUpSeconds = 3;

/**
 * Runs one case: all chains stand up together on their own ports, and take
 * turns under load, so that what else happens on the machine falls on each.
 */
export async function measureCase(
  one: BenchCase,
  programs: readonly ProxyProgram[],
  tools: LoadTools,
  options: BenchOptions,
  directory: string,
  progress: (text: string) => void,
): Promise<CaseResult> {
  const connections = one.connections ?? options.connections;
  const [upstreamPort] = await freePorts(1);
  const started: Running[] = [];
  try {
    started.push(await startUpstream(upstreamPort!, one.responseBytes));
    const chains: Chain[] = [];
    for (const [i, program] of programs.entries()) {
      const label =
        programs.findIndex((other) => other.name === program.name) === i
          ? program.name
          : `${program.name} again`;
      chains.push(
        await startChain(one, program, label, upstreamPort!, join(directory, `${i}-${one.name}`), started),
      );
    }
    for (const { url, label } of chains) {
      progress(`${one.name}: warming up ${label}`);
      await saturate(tools, one, { url, seconds: warmUpSeconds, connections });
    }
    const samples: Record<string, Sample[]> = Object.fromEntries(chains.map((chain) => [chain.label, []]));
    for (let round = 0; round < options.rounds; round++) {
      const order = round % 2 === 0 ? chains : [...chains].reverse();
      for (const chain of order) {
        progress(`${one.name}: round ${round + 1} of ${options.rounds}, ${chain.label}`);
        samples[chain.label]!.push(await sample(chain, one, tools, options, connections));
      }
    }
    return { name: one.name, title: one.title, samples };
  } finally {
    await Promise.all(started.map((process) => process.stop()));
  }
}

async function sample(
  chain: Chain,
  one: BenchCase,
  tools: LoadTools,
  options: BenchOptions,
  connections: number,
): Promise<Sample> {
  const { url, hops } = chain;
  const cpu = () => hops.reduce((sum, hop) => sum + cpuMicroseconds(hop.pid), 0);
  const before = cpu();
  const { requests, seconds } = await saturate(tools, one, { url, seconds: options.seconds, connections });
  const used = cpu() - before;
  const latency = await measureLatency(one, {
    url,
    seconds: options.seconds,
    connections,
    rate: options.rate,
  });
  return {
    cpuPerRequestUs: used / requests,
    requestsPerSecond: requests / seconds,
    ...latency,
    rssMb: hops.reduce((sum, hop) => sum + residentBytes(hop.pid), 0) / 1e6,
  };
}

/** Starts the hops from the last to the first, each waiting until the chain behind it answers. */
async function startChain(
  one: BenchCase,
  program: ProxyProgram,
  label: string,
  upstreamPort: number,
  directory: string,
  started: Running[],
): Promise<Chain> {
  const ports = await freePorts(one.hops.length * 2);
  mkdirSync(directory, { recursive: true });
  const hops: (Running & { readonly log: string })[] = [];
  for (let i = one.hops.length - 1; i >= 0; i--) {
    const hop = one.hops[i]!;
    const bootstrap = join(directory, `${hop.name}.yaml`);
    const text = readFileSync(join(import.meta.dirname, "bootstraps", hop.bootstrap), "utf8");
    writeFileSync(
      bootstrap,
      fillBootstrap(text, {
        LISTEN_PORT: ports[2 * i]!,
        ADMIN_PORT: ports[2 * i + 1]!,
        NEXT_PORT: i + 1 < one.hops.length ? ports[2 * (i + 1)]! : upstreamPort,
        DIRECTORY: directory,
        CERTIFICATES: join(directory, ".."),
      }),
    );
    const proxy = startProxy(program, bootstrap);
    started.unshift(proxy);
    hops.unshift(proxy);
  }
  const url = `http://127.0.0.1:${ports[0]}${one.path}`;
  await waitReady(url, hops[0]!);
  return { program, label, url, hops };
}

/** Puts values where `$NAME$` stands. @throws when the text names one there is no value for. */
export function fillBootstrap(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replace(/\$([A-Z_]+)\$/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`the bootstrap names ${whole}, which has no value`);
    return String(value);
  });
}
