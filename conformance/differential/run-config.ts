import { readFileSync } from "node:fs";
import type { Area, Case } from "./case.ts";
import { exchangeHttp1 } from "./http1-client.ts";
import { exchangeHttp2 } from "./http2-client.ts";
import { mask } from "./mask.ts";
import { markListener } from "./proxy-config.ts";
import { Scene } from "./recording-upstream.ts";
import { type ProxyProgram, RunningProxy } from "./running-proxy.ts";

/** What a case looked like from one proxy's outside, masked. */
export interface Observation {
  readonly answer: string;
  readonly upstream: string;
  readonly log: string;
}

/** Both proxies' observations of one case. */
export interface Outcome {
  readonly name: string;
  readonly envoy: Observation;
  readonly weft: Observation;
}

const sideBySide = 8;
const logPatienceMs = 20_000;

/** Runs all cases of one configuration through both proxies, which work at the same time. */
export async function runConfig(
  config: string,
  areas: readonly Area[],
  programs: Readonly<Record<ProxyProgram["name"], ProxyProgram>>,
  directory: string,
): Promise<readonly Outcome[]> {
  const [envoy, weft] = await Promise.all([
    runOn(programs.envoy, config, areas, directory),
    runOn(programs.weft, config, areas, directory),
  ]);
  return [...envoy].map(([name, observation]) => ({ name, envoy: observation, weft: weft.get(name)! }));
}

async function runOn(
  program: ProxyProgram,
  config: string,
  areas: readonly Area[],
  directory: string,
): Promise<ReadonlyMap<string, Observation>> {
  const proxy = await RunningProxy.start(program, config, directory);
  try {
    const seen = new Map<string, { answer: string; upstream: string }>();
    let mark = 0;
    for (const { cases, isParallel } of areas) {
      if (isParallel) {
        await inLanes(cases, async (one) => {
          seen.set(one.name, await play(one, proxy, true));
        });
      } else {
        for (const one of cases) {
          seen.set(one.name, await play(one, proxy, false));
          await exchangeHttp1(markOf(mark++), proxy.ports.get(markListener)!);
        }
      }
    }
    await exchangeHttp1(markOf(mark++), proxy.ports.get(markListener)!);
    const logs = assignLines(await readLog(proxy.logPath, mark - 1), areas);
    const ports = {
      upstream: proxy.upstream.port,
      "http2-upstream": proxy.upstream.http2Port,
      ...Object.fromEntries([...proxy.ports].map(([name, port]) => [`${name}-port`, port])),
    };
    return new Map(
      [...seen].map(([name, { answer, upstream }]) => [
        name,
        {
          answer: mask(answer, ports),
          upstream: mask(upstream, ports),
          log: mask(logs.get(name) ?? "", ports),
        },
      ]),
    );
  } finally {
    await proxy.stop();
  }
}

async function play(one: Case, proxy: RunningProxy, isShared: boolean) {
  const { upstream, ports } = proxy;
  const port = ports.get(one.listener);
  if (port === undefined) throw new Error(`${one.name}: no listener ${one.listener}`);
  const scene = new Scene(one);
  if (isShared) upstream.scenes.set(one.name, scene);
  upstream.current = isShared ? undefined : scene;
  const sent = withPort(isShared ? labelled(one) : one, port);
  const answer = sent.http2 ? await exchangeHttp2(sent, port) : await exchangeHttp1(sent, port);
  await upstream.settle();
  return { answer, upstream: scene.received.map(maskRemaining).join("\n\n") };
}

/** Envoy tells each further attempt what is left of the time, which no two runs share. */
function maskRemaining(request: string, i: number): string {
  return i === 0 ? request : request.replace(/^(x-envoy-expected-rq-timeout-ms: )\d+$/m, "$1<left>");
}

function withPort(one: Case, port: number): Case {
  const set = (text: string) => text.replaceAll("$PORT", `${port}`);
  return { ...one, pieces: one.pieces.map(set) };
}

/** The case with its name in the request. */
function labelled(one: Case): Case {
  const { http2 } = one;
  if (http2) return { ...one, http2: { ...http2, fields: [...http2.fields, ["x-case", one.name]] } };
  const [first = "", ...rest] = one.pieces;
  return { ...one, pieces: [first.replace("\r\n", `\r\nx-case: ${one.name}\r\n`), ...rest] };
}

function markOf(number: number): Case {
  return {
    name: "",
    listener: markListener,
    tls: "none",
    pieces: [`GET /mark/${number} HTTP/1.1\r\nhost: mark\r\n\r\n`],
    http2: undefined,
    answers: [],
    repeatsLastAnswer: false,
    until: "\r\n\r\n",
    answerCount: undefined,
    awaitsClose: false,
  };
}

async function inLanes(cases: readonly Case[], work: (one: Case) => Promise<void>): Promise<void> {
  const waiting = [...cases];
  await Promise.all(
    Array.from({ length: sideBySide }, async () => {
      for (let one = waiting.shift(); one; one = waiting.shift()) await work(one);
    }),
  );
}

/** The access log up to the last mark; both proxies write it in batches. */
async function readLog(path: string, lastMark: number): Promise<readonly string[]> {
  const deadline = performance.now() + logPatienceMs;
  for (;;) {
    const text = readFileSync(path, "latin1");
    if (text.includes(`/mark/${lastMark} `)) return text.split("\n").filter((line) => line !== "");
    if (performance.now() > deadline) throw new Error(`${path} does not reach its end`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Which lines belong to which case: by label, or by the mark that follows them. */
function assignLines(lines: readonly string[], areas: readonly Area[]): ReadonlyMap<string, string> {
  const inOrder = areas.flatMap(({ isParallel, cases }) => (isParallel ? [] : cases));
  const logs = new Map<string, string>();
  const add = (name: string, line: string) => {
    logs.set(name, logs.has(name) ? `${logs.get(name)}\n${line}` : line);
  };
  let position = 0;
  for (const line of lines) {
    if (/ GET \/mark\/\d+ /.test(line)) position += 1;
    else if (line.includes("/probe")) continue;
    else {
      const label = /^([^|]*) \| /.exec(line)?.[1] ?? "-";
      if (label !== "-") add(label, line.slice(label.length + 3));
      else if (inOrder[position]) add(inOrder[position]!.name, line.replace(/^- \| /, ""));
    }
  }
  return logs;
}
