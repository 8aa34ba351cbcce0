import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { buildBootstrap } from "./proxy-config.ts";
import { RecordingUpstream } from "./recording-upstream.ts";

/** How one of the two proxies is started on a bootstrap file. */
export interface ProxyProgram {
  readonly name: "envoy" | "weft";
  readonly command: readonly [program: string, ...args: string[]];
}

const startPatienceMs = 20_000;

/** A proxy that serves one configuration, with an upstream of its own. */
export class RunningProxy {
  readonly name: ProxyProgram["name"];
  readonly upstream: RecordingUpstream;
  readonly ports: ReadonlyMap<string, number>;
  readonly logPath: string;
  readonly #child: ChildProcess;

  private constructor(
    name: ProxyProgram["name"],
    upstream: RecordingUpstream,
    child: ChildProcess,
    ports: ReadonlyMap<string, number>,
    logPath: string,
  ) {
    this.name = name;
    this.upstream = upstream;
    this.ports = ports;
    this.logPath = logPath;
    this.#child = child;
  }

  /** Starts it in a folder of its own; ready when its listeners are. @throws Error with its last words when it does not come up. */
  static async start(program: ProxyProgram, config: string, directory: string): Promise<RunningProxy> {
    const folder = join(directory, `${config}-${program.name}`);
    mkdirSync(folder, { recursive: true });
    const upstream = await RecordingUpstream.start();
    const adminPath = join(folder, "admin");
    const logPath = join(folder, "access.log");
    const file = join(folder, "bootstrap.json");
    const around = {
      adminPath,
      logPath,
      upstreamPort: upstream.port,
      http2UpstreamPort: upstream.http2Port,
    };
    writeFileSync(file, buildBootstrap(config, around));
    writeFileSync(logPath, "");
    const outputPath = join(folder, "output");
    const output = openSync(outputPath, "w");
    const [command, ...args] = program.command;
    const child = spawn(command, [...args, "-c", file], { stdio: ["ignore", output, output] });
    closeSync(output);
    const ports = await waitForListeners(adminPath, child);
    if (!ports) {
      child.kill("SIGKILL");
      upstream.close();
      throw new Error(`${program.name} does not serve ${file}:\n${readFileSync(outputPath, "utf8")}`);
    }
    return new RunningProxy(program.name, upstream, child, ports, logPath);
  }

  async stop(): Promise<void> {
    this.upstream.close();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await gone;
  }
}

async function waitForListeners(
  adminPath: string,
  child: ChildProcess,
): Promise<ReadonlyMap<string, number> | undefined> {
  const deadline = performance.now() + startPatienceMs;
  while (performance.now() < deadline && child.exitCode === null) {
    const isReady = (await ask(adminPath, "/ready"))?.startsWith("LIVE");
    const listeners = isReady ? await ask(adminPath, "/listeners") : undefined;
    const found = [...(listeners ?? "").matchAll(/^(.+)::127\.0\.0\.1:(\d+)$/gm)];
    if (found.length > 0) return new Map(found.map(([, name, port]) => [name!, Number(port)]));
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return undefined;
}

function ask(socketPath: string, path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const call = request({ socketPath, path, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("end", () => resolve(body));
    });
    call.on("error", () => resolve(undefined));
    call.end();
  });
}
