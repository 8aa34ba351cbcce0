import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CommandResult, runCommand, tryCommand } from "../packages/cli/src/demo/command.ts";
import { inNamespace, processesIn } from "../packages/cli/src/demo/network.ts";
import { until } from "../packages/testkit/src/until.ts";
import { weftProgram } from "../packages/testkit/src/weft-program.ts";

/** Why nothing can be captured here; false where it can. */
export const noCapture: string | false =
  process.getuid?.() !== 0 && !process.env.CI && "needs root for namespaces and nft rules";

/** Where the control plane is, and the way to everywhere else. */
const hub = "10.96.0.1";

export interface CapturedMeshOptions {
  /** Of the namespaces, and of the state's folder. */
  readonly name: string;
  /** Addresses that are there for others than workloads, all in the hub. */
  readonly outside: readonly string[];
  /** The name server of every workload, one of those. */
  readonly nameServer: string;
  /** Of `weft control-plane`, given the folder of the state. */
  readonly planeFlags: (state: string) => readonly string[];
}

/**
 * A mesh whose calls are captured: each workload in a network namespace of its
 * own, as pods have, all joined by a bridge in one more, where the control plane
 * and the world outside are.
 */
export class CapturedMesh {
  readonly #options: CapturedMeshOptions;
  readonly #children: ChildProcess[] = [];
  readonly #namespaces: string[] = [];
  #said = "";
  readonly state: string;
  readonly #plane: string;

  private constructor(options: CapturedMeshOptions) {
    this.#options = options;
    this.state = mkdtempSync(join(tmpdir(), `weft-${options.name}-`));
    // Sidecars run as their own user, and their sockets are in here.
    chmodSync(this.state, 0o755);
    this.#plane = join(this.state, "control-plane");
  }

  /** Resolves when the control plane is ready. */
  static async start(options: CapturedMeshOptions): Promise<CapturedMesh> {
    const mesh = new CapturedMesh(options);
    try {
      await mesh.#makeHub();
      const flags = options.planeFlags(mesh.state);
      mesh.spawn("hub", [weftProgram, "control-plane", "--address", hub, ...flags]);
      await mesh.until("the control plane is ready", () => mesh.#said.includes("control plane ready"));
      return mesh;
    } catch (error) {
      await mesh.close();
      throw error;
    }
  }

  /** Starts `weft run` in a namespace of its own; returns without waiting for it to be healthy. */
  async run(name: string, address: string, flags: readonly string[], script: string): Promise<void> {
    await this.#addHost(name, address);
    const token = await this.weft("token", "create", "--service-account", name);
    const joining = ["--token", token.stdout.trim(), "--control-plane", `${hub}:15012`, "--address", address];
    const how = ["--capture", "nft", "--run-dir", join(this.state, name), ...flags];
    const command = ["--", process.execPath, "-e", script];
    const run = [weftProgram, "run", "--service-account", name, ...joining, ...how, ...command];
    this.spawn(name, run);
  }

  /** Runs a program beside a workload, or in the hub, to its end. */
  beside(name: string, command: readonly string[]): Promise<CommandResult> {
    return tryCommand("ip", inNamespace(this.#namespaceOf(name), command).slice(1));
  }

  /** Starts a program beside a workload, or in the hub; it is ended with the mesh. */
  spawn(name: string, command: readonly string[]): void {
    const [program, ...rest] = inNamespace(this.#namespaceOf(name), command);
    const child = spawn(program!, rest, {
      env: { ...process.env, WEFT_STATE: this.#plane },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const keep = (chunk: Buffer) => {
      this.#said = (this.#said + chunk).slice(-50_000);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    this.#children.push(child);
  }

  weft(...args: readonly string[]): Promise<CommandResult> {
    return tryCommand(weftProgram, args, { env: { ...process.env, WEFT_STATE: this.#plane } });
  }

  /** Applies YAML; throws with what is wrong. @returns the file, for `weft delete -f` */
  async apply(name: string, yaml: string): Promise<string> {
    const file = join(this.state, `${name}.yaml`);
    writeFileSync(file, yaml);
    const { code, stderr } = await this.weft("apply", "-f", file);
    if (code !== 0) throw new Error(stderr);
    return file;
  }

  /** As `until`, for two minutes; what the processes said is in the error, and what `seen` is then. */
  until(what: string, check: () => boolean | Promise<boolean>, seen: () => string = () => ""): Promise<void> {
    return until(what, check, { seconds: 120, everyMs: 100, said: () => `${seen()}\n${this.#said}` });
  }

  /** Ends all of it, the newest first, and removes the namespaces. */
  async close(): Promise<void> {
    for (const child of this.#children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const over = once(child, "exit");
      child.kill("SIGTERM");
      await over;
    }
    for (const namespace of this.#namespaces.toReversed()) {
      for (const pid of await processesIn(namespace)) process.kill(pid, "SIGKILL");
      await tryCommand("ip", ["netns", "delete", namespace]);
      rmSync(`/etc/netns/${namespace}`, { recursive: true, force: true });
    }
    rmSync(this.state, { recursive: true, force: true });
  }

  #namespaceOf(name: string): string {
    return `weft-${this.#options.name}-${process.pid}-${name}`;
  }

  async #makeHub(): Promise<void> {
    const namespace = await this.#addNamespace("hub");
    const addresses = [`${hub}/16`, ...this.#options.outside.map((address) => `${address}/32`)];
    const lines = [
      "link add br0 type bridge",
      ...addresses.map((address) => `address add ${address} dev br0`),
      "link set lo up",
      "link set br0 up",
    ];
    await runCommand("ip", ["-n", namespace, "-batch", "-"], { input: lines.join("\n") });
  }

  async #addHost(name: string, address: string): Promise<void> {
    const namespace = await this.#addNamespace(name);
    const port = `port${this.#namespaces.length}`;
    const joined = [
      `link add ${port} type veth peer name eth0 netns ${namespace}`,
      `link set ${port} master br0`,
      `link set ${port} up`,
    ];
    await runCommand("ip", ["-n", this.#namespaceOf("hub"), "-batch", "-"], { input: joined.join("\n") });
    const own = ["link set lo up", `address add ${address}/16 dev eth0`, "link set eth0 up"];
    const input = [...own, `route add default via ${hub}`].join("\n");
    await runCommand("ip", ["-n", namespace, "-batch", "-"], { input });
  }

  async #addNamespace(name: string): Promise<string> {
    const namespace = this.#namespaceOf(name);
    await runCommand("ip", ["netns", "add", namespace]);
    this.#namespaces.push(namespace);
    mkdirSync(`/etc/netns/${namespace}`, { recursive: true });
    writeFileSync(`/etc/netns/${namespace}/resolv.conf`, `nameserver ${this.#options.nameServer}\n`);
    return namespace;
  }
}
