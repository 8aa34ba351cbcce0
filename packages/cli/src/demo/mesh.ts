import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "@weft/base/errors";
import { ApiClient } from "@weft/control/api/client";
import { packageRoot } from "../package-root.ts";
import { weftCommand } from "../weft-command.ts";
import { type CommandResult, tryCommand } from "./command.ts";
import {
  controlPlaneAddress,
  controlPlaneNamespace,
  createNetwork,
  hostAddress,
  inNamespace,
  namespaceOf,
  observerAddress,
  observerHost,
  removeNetwork,
  subnet,
} from "./network.ts";
import type { ObserverPrograms } from "./observe/find-observers.ts";
import { Observers } from "./observe/observers.ts";
import { killLeftovers, ProcessGroup } from "./processes.ts";
import { type DemoWorkload, findWorkload, servicePort, workloadName, workloads } from "./topology.ts";
import { isComplete, TrafficLog } from "./traffic-log.ts";
import { upstreamOf, workloadCommand } from "./workload-command.ts";

export type Capture = "nft" | "none";

export interface MeshOptions {
  readonly capture: Capture;
  readonly runDirectory: string;
  readonly hasPython: boolean;
  /** Path of Envoy, which half of the workloads then have for a sidecar. */
  readonly envoy: string | undefined;
  /** Requests per second of the traffic source. */
  readonly rate: number;
  readonly certificateMinutes: number;
  /** Prometheus and Jaeger, which then watch the demo. */
  readonly observers: ObserverPrograms | undefined;
  /** A process of the demo ended without being asked to. */
  readonly onUnexpectedExit: (name: string, code: number | null) => void;
}

/** Loopback addresses, where there is no interception. */
const loopback = "127.77.0";

/** The demo's mesh: a control plane and one `weft run` for each workload, in namespaces or on loopback. */
export class DemoMesh {
  readonly options: MeshOptions;
  readonly stateDirectory: string;
  readonly processes: ProcessGroup;
  readonly api: ApiClient;
  readonly observers: Observers | undefined;
  readonly #expectedExits = new Set<string>();

  constructor(options: MeshOptions) {
    this.options = options;
    this.stateDirectory = join(options.runDirectory, "state");
    mkdirSync(options.runDirectory, { recursive: true, mode: 0o755 });
    this.processes = new ProcessGroup(options.runDirectory, (name, code) => {
      if (!this.#expectedExits.delete(name)) options.onUnexpectedExit(name, code);
    });
    this.api = new ApiClient({ socketPath: join(this.stateDirectory, "api.sock") });
    this.observers =
      options.observers &&
      new Observers(options.observers, {
        address: this.#isolated ? observerAddress : `${loopback}.3`,
        runDirectory: options.runDirectory,
        controlPlane: `http://${this.controlPlaneAddress}:15014`,
      });
  }

  /** Ends and removes whatever an earlier demo left behind. */
  async cleanUp(): Promise<void> {
    killLeftovers(this.options.runDirectory);
    if (this.options.capture === "nft") await removeNetwork();
  }

  async createNetwork(): Promise<void> {
    if (this.options.capture === "none") return;
    await createNetwork([
      { name: "control-plane", address: controlPlaneAddress },
      ...(this.observers ? [{ name: observerHost, address: observerAddress }] : []),
      ...workloads.map((workload) => ({ name: workloadName(workload), address: this.addressOf(workload) })),
    ]);
  }

  addressOf(workload: DemoWorkload): string {
    return `${this.#isolated ? subnet : loopback}.${workload.octet}`;
  }

  get controlPlaneAddress(): string {
    return this.#isolated ? controlPlaneAddress : `${loopback}.2`;
  }

  startControlPlane(): void {
    const command = [
      ...weftCommand(),
      "control-plane",
      ...["--state", this.stateDirectory],
      ...["--address", this.controlPlaneAddress],
      ...["--http-address", this.controlPlaneAddress],
      ...(this.#isolated ? ["--dashboard-from", hostAddress] : []),
      ...["--certificate-ttl", `${this.options.certificateMinutes}m`],
      ...(this.observers ? ["--jaeger-url", this.observers.jaegerUrl] : []),
      ...(this.observers ? ["--mesh-config", this.observers.writeMeshConfig()] : []),
    ];
    this.processes.start(
      "control-plane",
      this.#isolated ? inNamespace(controlPlaneNamespace, command) : command,
    );
  }

  /** Prometheus and Jaeger, where they were asked for; resolves when both answer. */
  async startObservers(timeoutMs: number): Promise<void> {
    const { observers } = this;
    if (!observers) return;
    for (const [name, command] of Object.entries(observers.prepare())) {
      this.processes.start(name, this.#isolated ? inNamespace(namespaceOf(observerHost), command) : command);
    }
    await until(
      timeoutMs,
      `Prometheus and Jaeger did not start, see ${this.processes.logFile("prometheus")} and ${this.processes.logFile("jaeger")}`,
      () => observers.areReady(),
    );
    const applied = await this.weft("apply", "-f", observers.writeTracing());
    if (applied.code !== 0) throw new Error(`weft apply failed: ${applied.stderr.trim()}`);
  }

  startWorkload(workload: DemoWorkload, token: string): void {
    const name = workloadName(workload);
    const command = workloadCommand(workload, {
      ...this.options,
      address: this.addressOf(workload),
      controlPlane: `${this.controlPlaneAddress}:15012`,
    });
    const env: NodeJS.ProcessEnv = {
      WEFT_TOKEN: token,
      RATE: String(this.options.rate),
      VERSION: workload.version,
    };
    if (!this.#isolated) env.HOST = this.addressOf(workload);
    this.processes.start(name, this.#isolated ? inNamespace(namespaceOf(name), command) : command, env);
  }

  async startWorkloads(): Promise<void> {
    for (const workload of workloads) {
      const { token } = await this.api.createToken({
        namespace: "default",
        serviceAccount: workload.service,
        ttlSeconds: 600,
      });
      this.startWorkload(workload, token);
    }
  }

  /** Runs `weft …` as a user would, in a process of its own. */
  weft(...args: string[]): Promise<CommandResult> {
    const [program, ...leading] = weftCommand();
    return tryCommand(program!, [...leading, ...args], {
      env: { ...process.env, WEFT_STATE: this.stateDirectory },
      timeoutMs: 60_000,
    });
  }

  /** The path of a file applied by a step. */
  stepFile(file: string): string {
    return join(packageRoot, "demo", "istio", file);
  }

  /** Command line of a program beside a workload: the same namespace, the same interception. */
  beside(workload: DemoWorkload, command: readonly string[]): readonly string[] {
    return this.#isolated ? inNamespace(namespaceOf(workloadName(workload)), command) : command;
  }

  /** Where `caller` reaches `service`. */
  urlOf(caller: DemoWorkload, service: string, path: string): string {
    if (this.#isolated) return `http://${service}:${servicePort}${path}`;
    return `http://${upstreamOf(caller, this.addressOf(caller), service)}${path}`;
  }

  /** The Prometheus page of a workload's sidecar, read from outside. */
  async scrape(name: string): Promise<string> {
    const response = await fetch(`http://${this.addressOf(findWorkload(name))}:15090/stats/prometheus`);
    return response.text();
  }

  /** A process that is about to be killed on purpose is not reported. */
  expectExit(name: string): void {
    this.#expectedExits.add(name);
  }

  async untilControlPlaneAnswers(timeoutMs: number): Promise<void> {
    await until(
      timeoutMs,
      `the control plane did not start, see ${this.processes.logFile("control-plane")}`,
      () =>
        this.api.status().then(
          () => true,
          () => false,
        ),
    );
  }

  /** True when every sidecar and agent has its stream again and is in sync. */
  async untilProxiesConnected(timeoutMs: number): Promise<boolean> {
    return until(timeoutMs, "proxies", async () => {
      const { proxies } = await this.api.status();
      const sidecars = proxies.filter((proxy) => proxy.role === "sidecar" && proxy.state === "synced");
      return sidecars.length === workloads.length;
    }).then(
      () => true,
      () => false,
    );
  }

  /** Resolves when the reader gets whole pages and each version of reviews has answered. */
  async untilEveryServiceAnswers(timeoutMs: number, signal: AbortSignal): Promise<void> {
    const log = new TrafficLog(this.processes.logFile("traffic"));
    const answered = new Set<string>();
    await until(
      timeoutMs,
      `not every service answered through the mesh, see the logs in ${this.options.runDirectory}`,
      async () => {
        signal.throwIfAborted();
        for (const visit of log.read()) if (isComplete(visit) && visit.version) answered.add(visit.version);
        return answered.size === workloads.filter((workload) => workload.service === "reviews").length;
      },
    );
  }

  /** Logs of an earlier demo go: checks count lines. */
  clearLogs(): void {
    for (const workload of workloads) {
      const name = workloadName(workload);
      rmSync(this.processes.logFile(name), { force: true });
      rmSync(join(this.options.runDirectory, `${name}.access.log`), { force: true });
    }
    rmSync(this.processes.logFile("control-plane"), { force: true });
  }

  async stop(): Promise<void> {
    await this.processes.stopAll(8_000);
    if (this.#isolated) await removeNetwork();
  }

  get #isolated(): boolean {
    return this.options.capture === "nft";
  }
}

/** Asks every 100 ms until the answer is yes; rejects with `message` after `timeoutMs`. */
async function until(timeoutMs: number, message: string, isDone: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await isDone())) {
    if (Date.now() > deadline)
      throw new UserError(message, { hint: "weft check says what this machine lacks" });
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
