import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePorts } from "@weft/testkit/free-port";
import type { BenchCase, Protocol } from "./cases.ts";
import {
  holdConnections,
  type LoadSettings,
  type LoadTools,
  measureLatency,
  saturate,
  shakeHands,
} from "./load.ts";
import type { BenchOptions } from "./options.ts";
import { probe } from "./probe.ts";
import {
  cpuMicroseconds,
  type ProxyProgram,
  type Running,
  residentBytes,
  startProxy,
  startUpstream,
  waitReady,
} from "./processes.ts";

/** One proxy in one round, as far as the case measures it. CPU and memory are sums over the hops. */
export interface Sample {
  readonly cpuPerRequestUs?: number;
  readonly requestsPerSecond?: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  readonly cpuPerHandshakeUs?: number;
  readonly rssIdleMb?: number;
  readonly rssMb?: number;
  readonly kibPerConnection?: number;
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
const idleConnections = 10_000;

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
    const spoken = one.hops.at(-1)!.next ?? "http1";
    started.push(await startUpstream(upstreamPort!, one.responseBytes, spoken));
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
    if (options.idleSeconds > 0) progress(`${one.name}: ${options.idleSeconds} s without a request`);
    await new Promise((resolve) => setTimeout(resolve, options.idleSeconds * 1_000));
    const idleMb = new Map(chains.map((chain) => [chain, rssOf(chain.hops)]));
    const settings = (chain: Chain, seconds: number) => ({ url: chain.url, seconds, connections, directory });
    for (const chain of chains) {
      progress(`${one.name}: warming up ${chain.label}`);
      const load = settings(chain, warmUpSeconds);
      if (one.kind === "requests") await saturate(tools, one, load);
      else if (one.kind === "handshakes") await shakeHands(load);
    }
    const samples: Record<string, Sample[]> = Object.fromEntries(chains.map((chain) => [chain.label, []]));
    for (let round = 0; round < options.rounds; round++) {
      const order = round % 2 === 0 ? chains : [...chains].reverse();
      for (const chain of order) {
        progress(`${one.name}: round ${round + 1} of ${options.rounds}, ${chain.label}`);
        const load = { ...settings(chain, options.seconds), rate: options.rate };
        const sample = await measures[one.kind](chain, one, tools, load);
        samples[chain.label]!.push({ rssIdleMb: idleMb.get(chain)!, ...sample });
      }
    }
    return { name: one.name, title: one.title, samples };
  } finally {
    await Promise.all(started.map((process) => process.stop()));
  }
}

type Measure = (
  chain: Chain,
  one: BenchCase,
  tools: LoadTools,
  load: LoadSettings & { readonly rate: number },
) => Promise<Sample>;

const measures: Readonly<Record<BenchCase["kind"], Measure>> = {
  async requests({ hops }, one, tools, load) {
    const before = cpuOf(hops);
    const { requests, seconds } = await saturate(tools, one, load);
    const used = cpuOf(hops) - before;
    const latency = one.hasLatency ? await measureLatency(one, load) : {};
    return {
      cpuPerRequestUs: used / requests,
      requestsPerSecond: requests / seconds,
      ...latency,
      rssMb: rssOf(hops),
    };
  },

  async connections({ hops, url }) {
    const before = rssOf(hops);
    const during = await holdConnections(url, idleConnections, () => rssOf(hops));
    return { rssMb: during, kibPerConnection: ((during - before) * 1e6) / 1024 / idleConnections };
  },

  async handshakes({ hops }, _one, _tools, load) {
    const before = cpuOf(hops);
    const count = await shakeHands(load);
    return { cpuPerHandshakeUs: (cpuOf(hops) - before) / count };
  },
};

function cpuOf(hops: readonly Running[]): number {
  return hops.reduce((sum, hop) => sum + cpuMicroseconds(hop.pid), 0);
}

function rssOf(hops: readonly Running[]): number {
  return hops.reduce((sum, hop) => sum + residentBytes(hop.pid), 0) / 1e6;
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
    const template = program.template?.(hop.bootstrap) ?? hop.bootstrap;
    const text = readFileSync(join(import.meta.dirname, "bootstraps", template), "utf8");
    writeFileSync(
      bootstrap,
      fillBootstrap(text, {
        LISTEN_PORT: ports[2 * i]!,
        ADMIN_PORT: ports[2 * i + 1]!,
        NEXT_PORT: i + 1 < one.hops.length ? ports[2 * (i + 1)]! : upstreamPort,
        DIRECTORY: directory,
        CERTIFICATES: join(directory, ".."),
        NEXT_PROTOCOL: `${wire(hop.next)}_protocol_options`,
        ALPN: wire(i === 0 ? (hop.next ?? "http1") : one.hops[i - 1]!.next) === "http2" ? "h2" : "http/1.1",
        ...hop.values?.(),
      }),
    );
    const proxy = startProxy(program, bootstrap);
    started.unshift(proxy);
    hops.unshift(proxy);
  }
  const url = `http://127.0.0.1:${ports[0]}${one.path}`;
  await waitReady(url, hops[0]!, () => probe(one, new URL(url)));
  return { program, label, url, hops };
}

/** How a protocol is named in a bootstrap: gRPC is HTTP/2 on the wire. */
function wire(protocol: Protocol = "http1"): "http" | "http2" {
  return protocol === "http1" ? "http" : "http2";
}

/** Puts values where `$NAME$` stands. @throws when the text names one there is no value for. */
export function fillBootstrap(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replace(/\$([A-Z_]+)\$/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`the bootstrap names ${whole}, which has no value`);
    return String(value);
  });
}
