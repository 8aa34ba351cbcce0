import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CommandResult, tryCommand } from "../packages/cli/src/demo/command.ts";
import { freePort } from "../packages/testkit/src/free-port.ts";
import { loopbackNetwork } from "../packages/testkit/src/loopback-network.ts";
import { until } from "../packages/testkit/src/until.ts";
import { weftProgram } from "../packages/testkit/src/weft-program.ts";

/** More than an agent gives its application and its sidecar. */
const graceMs = 60_000;

/**
 * A control plane and workloads as a person would start them, without
 * interception: each workload has a loopback address of its own.
 */
export class LocalMesh {
  readonly #children: ChildProcess[] = [];
  readonly #network: string;
  readonly #said = new Map<ChildProcess, string>();
  readonly #workloads = new Map<string, ChildProcess>();
  readonly #commands = new Map<string, readonly string[]>();
  #plane: ChildProcess | undefined;
  readonly state = mkdtempSync(join(tmpdir(), "weft-e2e-"));
  #controlPlane = "";
  #httpOrigin = "";

  readonly #planeFlags: readonly string[];

  private constructor(network: string, planeFlags: readonly string[]) {
    this.#network = network;
    this.#planeFlags = planeFlags;
  }

  /**
   * Meshes of one process share its network: their workloads' numbers must differ.
   *
   * @param planeFlags of `weft control-plane`, beside those of its ports
   */
  static async start(...planeFlags: readonly string[]): Promise<LocalMesh> {
    const mesh = new LocalMesh(await loopbackNetwork(), planeFlags);
    mesh.#controlPlane = `127.0.0.1:${await freePort()}`;
    try {
      await mesh.startControlPlane();
      return mesh;
    } catch (error) {
      await mesh.close();
      throw error;
    }
  }

  /** Also again, on the same port and state, after it was killed. */
  async startControlPlane(): Promise<void> {
    const [address, port] = this.#controlPlane.split(":") as [string, string];
    const ports = ["--port", port, "--plain-port", "0", "--http-port", "0", "--address", address];
    const plane = this.#spawn(["control-plane", ...ports, ...this.#planeFlags]);
    this.#plane = plane;
    await this.until("the control plane is ready", () =>
      this.#said.get(plane)!.includes("control plane ready"),
    );
    this.#httpOrigin = /metrics on (http:\/\/[^/]+)/.exec(this.#said.get(plane)!)![1]!;
  }

  async killControlPlane(): Promise<void> {
    const over = once(this.#plane!, "exit");
    this.#plane!.kill("SIGKILL");
    await over;
  }

  signalControlPlane(signal: NodeJS.Signals): void {
    this.#plane!.kill(signal);
  }

  /** Of the control plane, and of a workload's agent with all that this started. */
  pidsOf(name?: string): readonly number[] {
    return withDescendants((name === undefined ? this.#plane : this.#workloads.get(name))!.pid!);
  }

  /** What everything that was started has said, its last 20,000 characters each. */
  get said(): string {
    return [...this.#said.values()].join("\n");
  }

  /** `HOST:PORT`. */
  get controlPlane(): string {
    return this.#controlPlane;
  }

  /** Where the control plane's own metrics are, `HOST:PORT`. */
  get metrics(): string {
    return /metrics on http:\/\/([0-9.:]+)\/metrics/.exec(this.#said.get(this.#plane!)!)![1]!;
  }

  /** Where the control plane has its metrics: `http://HOST:PORT`; another one after a restart. */
  get httpOrigin(): string {
    return this.#httpOrigin;
  }

  /** What a workload's agent and sidecar have said, its last 20,000 characters. */
  saidBy(name: string): string {
    return this.#said.get(this.#workloads.get(name)!)!;
  }

  addressOf(host: number): string {
    return `${this.#network}.${host}`;
  }

  /** Starts `weft run` at an address of its own; returns without waiting for it to be healthy. */
  async run(
    name: string,
    host: number,
    flags: readonly string[],
    command: readonly string[],
    env: NodeJS.ProcessEnv = {},
  ): Promise<void> {
    const { stdout } = await this.weft("token", "create", "--service-account", name);
    this.runBy(["--token", stdout.trim()], name, host, flags, command, env);
  }

  /** The same, joining by other flags than a token of the mesh's. */
  runBy(
    joining: readonly string[],
    name: string,
    host: number,
    flags: readonly string[],
    command: readonly string[],
    env: NodeJS.ProcessEnv = {},
  ): void {
    const where = ["--address", this.addressOf(host), "--control-plane", this.#controlPlane];
    const how = ["--capture", "none", "--run-dir", join(this.state, name), "--access-log", "none"];
    const again = ["run", "--name", name, ...where, ...how, ...flags, "--", ...command];
    this.#commands.set(name, again);
    this.#workloads.set(name, this.#spawn([...again.slice(0, 3), ...joining, ...again.slice(3)], env));
  }

  /** Starts `weft run --gateway` at an address of its own; returns without waiting for it to serve. */
  async runGateway(name: string, host: number, flags: readonly string[]): Promise<void> {
    const wanted = ["token", "create", "--gateway", "--service-account", name, ...namespaceOf(flags)];
    const { stdout } = await this.weft(...wanted);
    const where = ["--address", this.addressOf(host), "--control-plane", this.#controlPlane];
    const how = ["--run-dir", join(this.state, name), "--access-log", "none", "--token", stdout.trim()];
    this.#workloads.set(name, this.#spawn(["run", "--gateway", name, ...where, ...how, ...flags]));
  }

  /** Stops a workload and everything it started, as a host that sleeps, or lets them go on. */
  signalTree(name: string, signal: "SIGSTOP" | "SIGCONT"): void {
    for (const pid of withDescendants(this.#workloads.get(name)!.pid!)) process.kill(pid, signal);
  }

  /** Resolves with the exit code of a workload that ends by itself. */
  async exitOf(name: string): Promise<number | null> {
    const workload = this.#workloads.get(name)!;
    if (workload.exitCode === null && workload.signalCode === null) await once(workload, "exit");
    return workload.exitCode;
  }

  /** Ends a workload without warning and starts it again, with the identity it kept and no token. */
  async killAndRestart(name: string): Promise<void> {
    const workload = this.#workloads.get(name)!;
    const over = once(workload, "exit");
    workload.kill("SIGKILL");
    await over;
    this.#workloads.set(name, this.#spawn(this.#commands.get(name)!));
  }

  weft(...args: readonly string[]): Promise<CommandResult> {
    return tryCommand(weftProgram, args, { env: this.#env });
  }

  /** Ends all of it: the workloads at once, each as it leaves a mesh, and then the control plane. */
  async close(): Promise<void> {
    const plane = this.#plane;
    await Promise.all(this.#children.map((child) => child !== plane && ended(child)));
    if (plane) await ended(plane);
    rmSync(this.state, { recursive: true, force: true });
  }

  /** Waits for something to become true; what the processes said is in the error when it does not. */
  until(what: string, check: () => boolean | Promise<boolean>, seconds = 60): Promise<void> {
    return until(what, check, { seconds, everyMs: 100, said: () => this.said });
  }

  get #env(): NodeJS.ProcessEnv {
    return { ...process.env, WEFT_STATE: this.state };
  }

  #spawn(args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
    const child = spawn(weftProgram, args, {
      env: { ...this.#env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#children.push(child);
    this.#said.set(child, "");
    const keep = (chunk: Buffer) => this.#said.set(child, (this.#said.get(child)! + chunk).slice(-20_000));
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    return child;
  }
}

/** Sent SIGTERM unless it has ended already, and killed with all it started where it does not end: a test that failed leaves nothing. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const over = once(child, "exit");
  child.kill("SIGTERM");
  const force = setTimeout(() => {
    for (const pid of withDescendants(child.pid!)) process.kill(pid, "SIGKILL");
  }, graceMs);
  await over;
  clearTimeout(force);
}

/** A process, the processes it started, those that these did, and so on. */
function withDescendants(pid: number): readonly number[] {
  const children = globSync(`/proc/${pid}/task/*/children`).flatMap((file) =>
    readFileSync(file, "utf8").split(" ").filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(withDescendants)];
}

/** The `--namespace` among a workload's flags, for its token. */
function namespaceOf(flags: readonly string[]): readonly string[] {
  const at = flags.indexOf("--namespace");
  return at < 0 ? [] : flags.slice(at, at + 2);
}
