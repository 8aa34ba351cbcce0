/** The same bootstrap in Envoy and in this proxy, asked the same questions; for tests of filters. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request as httpRequest, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { systemClock } from "@weft/base/clock";
import { findPeer } from "@weft/testkit/peer";
import { until, untilFound } from "@weft/testkit/until";
import { Log } from "../admin/log.ts";
import { decodeBootstrap } from "../config/bootstrap.ts";
import { parseDocument } from "../config/document.ts";
import { Sidecar } from "../sidecar.ts";

export const envoy = findPeer("envoy");
export const withEnvoy = { skip: envoy ? false : "no Envoy found" } as const;

export interface Sent {
  readonly method?: string;
  readonly path: string;
  readonly host?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Buffer;
}

export interface Answer {
  readonly status: number;
  /** Without those that differ from one moment to the next. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Both<T> {
  readonly envoy: T;
  readonly weft: T;
}

export interface SideBySide {
  /** Where each listens, for clients of a test's own. */
  readonly ports: Both<number>;
  ask(sent: Sent): Promise<Both<Answer>>;
  /** The access log's lines so far, once there are `count`. */
  logged(count: number): Promise<Both<readonly string[]>>;
  /** The value of a statistic by its name in `/stats`. */
  stat(name: string): Promise<Both<string | undefined>>;
  /** All statistics whose names match, as lines of `/stats`. */
  stats(names: RegExp): Promise<Both<readonly string[]>>;
  close(): Promise<void>;
}

export interface Setup {
  /** YAML of `http_filters` before the router. */
  readonly filters: string;
  /** YAML of a virtual host's `routes`, "" for none; everything goes to the echoing upstream where it is left out. */
  readonly routes?: string;
  /** More YAML of the virtual host. */
  readonly virtualHost?: string;
  /** More YAML of the connection manager. */
  readonly manager?: string;
  /** More YAML of the clusters, each item at four spaces. */
  readonly clusters?: string;
  /** What the access log says. */
  readonly log?: string;
  /** Default: an echo of the request as JSON. */
  readonly upstream?: (request: IncomingMessage, body: Buffer, answer: Reply) => void;
}

export type Reply = (
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string | Buffer,
) => void;

const indent = (text: string, width: number) => text.trim().replace(/^/gm, " ".repeat(width));
const defaultRoutes = "- { match: { prefix: / }, route: { cluster: upstream } }";

function bootstrapOf(setup: Setup, upstreamPort: number, logFile: string): string {
  const address = (port: number) => `{ socket_address: { address: 127.0.0.1, port_value: ${port} } }`;
  return `
admin: { address: ${address(0)} }
static_resources:
  listeners:
  - name: main
    address: ${address(0)}
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: test
          normalize_path: true
${indent(setup.manager ?? "", 10)}
          access_log:
          - name: file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: ${logFile}
              log_format: { text_format_source: { inline_string: ${JSON.stringify(`${setup.log ?? "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%"}\n`)} } }
          route_config:
            name: r
            virtual_hosts:
            - name: v
              domains: ["*"]
${indent(setup.virtualHost ?? "", 14)}
${setup.routes === "" ? "" : `              routes:\n${indent(setup.routes ?? defaultRoutes, 14)}`}
          http_filters:
${indent(setup.filters, 10)}
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router, suppress_envoy_headers: true }
  clusters:
  - name: upstream
    connect_timeout: 1s
    load_assignment:
      cluster_name: upstream
      endpoints: [{ lb_endpoints: [{ endpoint: { address: ${address(upstreamPort)} } }] }]
${setup.clusters ? indent(setup.clusters, 2) : ""}
`.replaceAll(/^\s*\n/gm, "");
}

/** Starts both. The caller closes them, whatever happens. */
export async function startSideBySide(setup: Setup): Promise<SideBySide> {
  const directory = mkdtempSync(join(tmpdir(), "weft-side-"));
  const upstream = await startUpstream(setup.upstream ?? echo);
  const upstreamPort = (upstream.address() as AddressInfo).port;
  const logs = { envoy: join(directory, "envoy.log"), weft: join(directory, "weft.log") };
  for (const file of Object.values(logs)) writeFileSync(file, "");
  const stop = async (running: { close(): Promise<unknown> }[]) => {
    for (const one of running) await one.close();
    upstream.closeAllConnections();
    upstream.close();
    rmSync(directory, { recursive: true });
  };
  const running: { close(): Promise<unknown> }[] = [];
  let theirs: Awaited<ReturnType<typeof startEnvoy>>;
  let ours: Awaited<ReturnType<typeof startWeft>>;
  try {
    ours = await startWeft(bootstrapOf(setup, upstreamPort, logs.weft));
    running.push(ours);
    theirs = await startEnvoy(bootstrapOf(setup, upstreamPort, logs.envoy), directory);
    running.push(theirs);
  } catch (error) {
    await stop(running);
    throw error;
  }
  return {
    ports: { envoy: theirs.ports.get("main")!, weft: ours.ports.get("main")! },
    async ask(sent) {
      return {
        envoy: await ask(theirs.ports.get("main")!, sent),
        weft: await ask(ours.ports.get("main")!, sent),
      };
    },
    async logged(count) {
      const read = (file: string) =>
        untilFound(
          `${count} lines in ${file}`,
          () => {
            const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
            return lines.length >= count ? lines : undefined;
          },
          { everyMs: 10, said: () => readFileSync(file, "utf8") },
        );
      return { envoy: await read(logs.envoy), weft: await read(logs.weft) };
    },
    async stat(name) {
      const read = async (admin: string) => {
        const text = await (await fetch(`http://${admin}/stats`)).text();
        return text
          .split("\n")
          .find((line) => line.startsWith(`${name}: `))
          ?.slice(name.length + 2);
      };
      return { envoy: await read(theirs.admin), weft: await read(ours.admin) };
    },
    async stats(names) {
      const read = async (admin: string) => {
        const text = await (await fetch(`http://${admin}/stats`)).text();
        return text
          .split("\n")
          .filter((line) => names.test(line))
          .sort();
      };
      return { envoy: await read(theirs.admin), weft: await read(ours.admin) };
    },
    close: () => stop(running),
  };
}

function echo(request: IncomingMessage, body: Buffer, answer: Reply): void {
  const varying = new Set(["x-request-id", "x-forwarded-proto", "connection", "transfer-encoding"]);
  const headers = Object.entries(request.headers).filter(
    ([name, value]) =>
      !varying.has(name) && !name.startsWith("x-envoy-") && !(name === "content-length" && value === "0"),
  );
  const seen = {
    method: request.method,
    path: request.url,
    headers: Object.fromEntries(headers.sort(([a], [b]) => (a < b ? -1 : 1))),
    body: body.toString("latin1"),
  };
  answer(200, { "content-type": "application/json" }, JSON.stringify(seen));
}

async function startUpstream(handle: NonNullable<Setup["upstream"]>): Promise<Server> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      handle(request, Buffer.concat(chunks), (status, headers, body) => {
        response.writeHead(status, headers);
        response.end(body);
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

/** Envoy under a bootstrap whose files go into `directory`. */
export async function startEnvoy(bootstrap: string, directory: string) {
  const file = join(directory, "bootstrap.yaml");
  const adminFile = join(directory, "admin");
  writeFileSync(file, bootstrap);
  const flags = ["--use-dynamic-base-id", "--concurrency", "1", "--file-flush-interval-msec", "20"];
  const child: ChildProcess = spawn(
    envoy!,
    ["-c", file, "--admin-address-path", adminFile, "-l", "error", ...flags],
    { stdio: ["ignore", "inherit", "inherit"] },
  );
  const askReady = async () => {
    if (child.exitCode !== null) throw new Error(`Envoy does not take\n${bootstrap}`);
    if (!existsSync(adminFile)) return undefined;
    const admin = readFileSync(adminFile, "utf8").trim();
    const ready = await fetch(`http://${admin}/ready`).catch(() => undefined);
    return ready?.status === 200 ? admin : undefined;
  };
  const close = async () => void child.kill("SIGKILL");
  try {
    const admin = await untilFound("Envoy is ready", askReady, { everyMs: 25, said: () => bootstrap });
    return { admin, ports: await listenerPorts(admin), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** This proxy under a bootstrap, inside this process. */
export async function startWeft(bootstrap: string) {
  const said: string[] = [];
  const sidecar = new Sidecar(
    decodeBootstrap(parseDocument("bootstrap.yaml", bootstrap)),
    { version: "test" },
    new Log("info", systemClock, (line) => said.push(line)),
    systemClock,
  );
  await sidecar.start();
  const address = sidecar.adminAddress;
  if (address?.kind !== "ip") throw new Error("no admin address");
  const admin = `127.0.0.1:${address.port}`;
  const isReady = async () => (await fetch(`http://${admin}/ready`)).status === 200;
  await until("the proxy is ready", isReady, { everyMs: 10, said: () => said.join("") });
  return { admin, ports: await listenerPorts(admin), close: () => sidecar.close() };
}

/** Ports by listener name. */
async function listenerPorts(admin: string): Promise<ReadonlyMap<string, number>> {
  const listeners = await (await fetch(`http://${admin}/listeners`)).text();
  return new Map(
    [...listeners.matchAll(/^(\S+?)::127\.0\.0\.1:(\d+)/gm)].map(([, name, port]) => [name!, Number(port)]),
  );
}

const momentary = new Set(["date", "server", "connection", "keep-alive", "transfer-encoding"]);

function ask(port: number, { method = "GET", path, host = "test", headers, body }: Sent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = httpRequest(
      { host: "127.0.0.1", port, path, method, headers: { ...headers, host }, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: Object.fromEntries(
              Object.entries(response.headers)
                .filter(([name]) => !momentary.has(name) && !name.startsWith("x-envoy-upstream"))
                .map(([name, value]) => [name, String(value)] as const)
                .sort(([a], [b]) => (a < b ? -1 : 1)),
            ),
            body: Buffer.concat(chunks).toString("latin1"),
          }),
        );
      },
    );
    call.on("error", reject);
    call.end(body);
  });
}

/** Asks every question of both, and expects the same answers, the same access log, and the same of these statistics. */
export async function expectSame(
  setup: Setup,
  questions: readonly Sent[],
  stats: readonly string[] = [],
): Promise<void> {
  const both = await startSideBySide(setup);
  try {
    const differences: unknown[] = [];
    for (const sent of questions) {
      const { envoy: expected, weft } = await both.ask(sent);
      if (isDeepStrictEqual(weft, expected)) continue;
      const question = `${sent.method ?? "GET"} ${sent.path} ${JSON.stringify(sent.headers ?? {})}`;
      differences.push({ question, weft, envoy: expected });
    }
    const logs = await both.logged(questions.length);
    const counted = await Promise.all(stats.map(async (name) => [name, await both.stat(name)] as const));
    assert.deepEqual(differences, []);
    assert.deepEqual(logs.weft, logs.envoy);
    assert.deepEqual(
      counted.map(([name, { weft }]) => [name, weft ?? "0"]),
      // What Envoy makes on first use is not there before.
      counted.map(([name, value]) => [name, value.envoy ?? "0"]),
    );
  } finally {
    await both.close();
  }
}
