/**
 * `npm run bench:javascript`: what a request costs in the proxy's own
 * JavaScript, without the kernel and without what Node does around each read
 * and write, and how much of that is telling of it.
 *
 * The proxy runs in this thread, and bytes go from its handles to a client and
 * an upstream that are a function each. A tenth of the batches of 32 requests
 * took less than what is shown, in the best of three processes: a change of a
 * twentieth is seen beside a busy machine, where CPU of processes says nothing.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts } from "@weft/testkit/free-port";
import { parse } from "yaml";
import { sidecarNodeFlags } from "../packages/cli/src/weft-command.ts";
import { percentile } from "./load.ts";
import { fillBootstrap } from "./measure.ts";

const signals = ["access log in JSON", "Istio's metrics", "traces, 1 % of the requests"] as const;
const cases: readonly (readonly (typeof signals)[number][])[] = [[], ...signals.map((one) => [one]), signals];
const batch = 32;
/** More connections than requests, for what is sent of spans. */
const spare = 8;
const warmUpMs = 2_000;
const measuredMs = 3_000;
const processes = 3;

/** What of Node's stream handle is driven here. */
interface Handle {
  onread(): void;
  getsockname(out: { port?: number }): number;
  useUserBuffer(buffer: Buffer): void;
  writeBuffer(request: unknown, bytes: Buffer): number;
}

const [mode, bootstrap, listenPort, upstreamPort] = process.argv.slice(2);
if (mode === "--inside") await runInside(bootstrap!, Number(listenPort), Number(upstreamPort));
else await compare();

async function compare(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "weft-bench-javascript-"));
  try {
    for (const kept of cases) {
      const took: number[] = [];
      for (let i = 0; i < processes; i++) took.push(await measure(kept, directory));
      const what = kept.length === signals.length ? "all of it" : (kept[0] ?? "nothing is told");
      console.log(`${what.padEnd(28)} ${Math.min(...took).toFixed(2)} µs a request`);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measure(kept: readonly string[], directory: string): Promise<number> {
  const [listen, admin, upstream] = await freePorts(3);
  const file = join(directory, "bootstrap.json");
  const template = readFileSync(join(import.meta.dirname, "bootstraps", "signals.yaml"), "utf8");
  const values = { LISTEN_PORT: listen!, ADMIN_PORT: admin!, NEXT_PORT: upstream! };
  const config = parse(fillBootstrap(template, { ...values, NEXT_PROTOCOL: "http_protocol_options" }));
  const manager = config.static_resources.listeners[0].filter_chains[0].filters[0].typed_config;
  if (!kept.includes(signals[0])) delete manager.access_log;
  if (!kept.includes(signals[1])) manager.http_filters.shift();
  if (!kept.includes(signals[2])) delete manager.tracing;
  writeFileSync(file, JSON.stringify(config));
  const args = [
    ...sidecarNodeFlags,
    import.meta.filename,
    "--inside",
    file,
    String(listen),
    String(upstream),
  ];
  // The access log goes to standard output, and what was measured to descriptor 3.
  const stdio = ["ignore", "ignore", "pipe", "pipe"] as const;
  const { output, stderr } = spawnSync(process.execPath, args, { stdio: [...stdio] });
  const result = Number(output[3]?.toString());
  if (!(result > 0)) throw new Error(`nothing was measured:\n${stderr}`);
  return result;
}

async function runInside(file: string, listen: number, upstreamAt: number): Promise<void> {
  const answer = Buffer.from(
    `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 128\r\n\r\n${"x".repeat(128)}`,
  );
  const request = Buffer.from(`GET /bench HTTP/1.1\r\nHost: 127.0.0.1:${listen}\r\n\r\n`);
  // The first answers take so long that each request gets a connection of its own.
  const upstream = createServer({ noDelay: true }, (socket) => {
    socket.on("data", () => setTimeout(() => socket.write(answer), 300));
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => upstream.listen(upstreamAt, "127.0.0.1", resolve));
  const driven = new Map<Handle, Buffer>();
  const sinks = new Map<Handle, () => void>();
  const state = takeOver(await open(upstreamAt), driven, sinks);
  process.argv = [process.argv[0]!, process.argv[1]!, "proxy", "-c", file];
  void import("../packages/cli/src/main.ts");
  const clients: Socket[] = [];
  while (clients.length < batch + spare) {
    const client = await open(listen).catch(() => undefined);
    if (client) clients.push(client);
    else await sleep(50);
  }
  await Promise.all(
    clients.map((client) => new Promise((resolve) => client.once("data", resolve).write(request))),
  );
  const callers: Handle[] = [];
  const answers: Handle[] = [];
  for (const handle of driven.keys()) {
    const own: { port?: number } = {};
    handle.getsockname(own);
    if (own.port === listen) {
      if (callers.length < batch) callers.push(handle);
    } else sinks.set(handle, () => void answers.push(handle));
  }
  let answered = 0;
  for (const handle of callers) sinks.set(handle, () => void answered++);
  const read = (handle: Handle, bytes: Buffer) => {
    bytes.copy(driven.get(handle)!);
    state(bytes.length);
    handle.onread();
  };
  const took: number[] = [];
  const beginMs = performance.now();
  let asked = 0;
  for (let nowMs = beginMs; nowMs < beginMs + warmUpMs + measuredMs; nowMs = performance.now()) {
    const start = process.hrtime.bigint();
    for (const caller of callers) read(caller, request);
    for (let next = answers.pop(); next; next = answers.pop()) read(next, answer);
    asked += callers.length;
    if (nowMs > beginMs + warmUpMs) took.push(Number(process.hrtime.bigint() - start) / callers.length);
    await new Promise(setImmediate);
  }
  // One that had to wait for another connection is answered later.
  if (answered < 0.99 * asked) throw new Error(`${answered} of ${asked} requests were answered`);
  took.sort((a, b) => a - b);
  writeFileSync(3, String(percentile(took, 0.1) / 1_000));
  process.exit(0);
}

/** Makes handles remember where they read to, and write into `sinks` those that have one. */
function takeOver(
  socket: Socket,
  driven: Map<Handle, Buffer>,
  sinks: Map<Handle, () => void>,
): (count: number) => void {
  const load = (process as unknown as { binding(name: string): unknown }).binding;
  const { streamBaseState, kReadBytesOrError, kLastWriteWasAsync } = load.call(process, "stream_wrap") as {
    streamBaseState: Int32Array;
    kReadBytesOrError: number;
    kLastWriteWasAsync: number;
  };
  const { _handle: handle } = socket as unknown as { _handle: Handle };
  const stream = Object.getPrototypeOf(Object.getPrototypeOf(handle)) as Handle;
  const { useUserBuffer, writeBuffer } = stream;
  stream.useUserBuffer = function (this: Handle, buffer) {
    driven.set(this, buffer);
    useUserBuffer.call(this, buffer);
  };
  stream.writeBuffer = function (this: Handle, request, bytes) {
    const sink = sinks.get(this);
    if (!sink) return writeBuffer.call(this, request, bytes);
    streamBaseState[kLastWriteWasAsync] = 0;
    sink();
    return 0;
  };
  socket.destroy();
  return (count) => {
    streamBaseState[kReadBytesOrError] = count;
  };
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => resolve(socket));
    socket.on("error", reject);
  });
}
