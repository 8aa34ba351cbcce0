import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { isIPv6 } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CommandResult, runCommand, tryCommand } from "../packages/cli/src/demo/command.ts";
import { inNamespace, processesIn } from "../packages/cli/src/demo/network.ts";
import { until } from "../packages/testkit/src/until.ts";
import { weftProgram } from "../packages/testkit/src/weft-program.ts";

/** Why nothing can be captured here; false where it can. */
export const noCapture: string | false =
  process.getuid?.() !== 0 && !process.env.CI && "needs root for namespaces and nft rules";

const hasIpv6 = existsSync("/proc/net/if_inet6");
/** Why nothing is called over IPv6 here; false where it can. */
export const noIpv6: string | false = !hasIpv6 && "this machine has no IPv6";

/** Where the control plane is, and the way to everywhere else. */
const hub = { v4: "10.96.0.1", v6: "fd96::1" } as const;

export interface CapturedMeshOptions {
  /** Of the namespaces, and of the state's folder. */
  readonly name: string;
  /** IPv4 addresses that are there for others than workloads, all in the hub. */
  readonly outside?: readonly string[];
  /** The name server of every workload, one of those; else it is on loopback, where nobody but the agent answers. */
  readonly nameServer?: string;
  /** Of `weft control-plane`, given the folder of the state. */
  readonly planeFlags?: (state: string) => readonly string[];
}

/**
 * A mesh whose calls are captured: each workload in a network namespace of its
 * own, as pods have, all joined by a bridge in one more, where the control plane
 * and the world outside are.
 */
export class CapturedMesh {
  readonly #options: CapturedMeshOptions;
  readonly #children: ChildProcess[] = [];
  /** The control plane, as `hub`, and the workloads. */
  readonly #started = new Map<string, ChildProcess>();
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
      const flags = options.planeFlags?.(mesh.state) ?? [];
      const address = hasIpv6 ? "::" : hub.v4;
      mesh.#start("hub", [weftProgram, "control-plane", "--address", address, ...flags]);
      await mesh.until("the control plane is ready", () => mesh.#said.includes("control plane ready"));
      return mesh;
    } catch (error) {
      await mesh.close();
      throw error;
    }
  }

  /**
   * Starts `weft run` in a namespace of its own, which has these addresses of
   * 10.96.0.0/16 and fd96::/64; returns without waiting for it to be healthy.
   */
  async run(
    name: string,
    address: string | readonly string[],
    flags: readonly string[],
    script: string,
  ): Promise<void> {
    const addresses = [address].flat();
    await this.#addHost(name, addresses);
    const token = await this.weft("token", "create", "--service-account", name);
    this.runAgain(name, addresses, ["--token", token.stdout.trim(), ...flags], script);
  }

  /** The same where it was before, without a token: with the identity that it has kept. */
  runAgain(name: string, addresses: readonly string[], flags: readonly string[], script: string): void {
    const plane = addresses.every((one) => isIPv6(one)) ? `[${hub.v6}]:15012` : `${hub.v4}:15012`;
    const joining = ["--control-plane", plane, ...addresses.flatMap((one) => ["--address", one])];
    const how = ["--capture", "nft", "--run-dir", join(this.state, name), ...flags];
    const command = ["--", process.execPath, "-e", script];
    this.#start(name, [weftProgram, "run", "--service-account", name, ...joining, ...how, ...command]);
  }

  /** Ends a workload, or the control plane (`hub`), and waits for its end. */
  async end(name: string, signal: NodeJS.Signals): Promise<void> {
    await ended(this.#started.get(name)!, signal);
  }

  /** What curl beside a workload is answered, or why it is not. */
  async curl(name: string, ...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.beside(name, ["curl", "-gsS", "-m", "5", ...args]);
    return code === 0 ? stdout : `curl ended with ${code}: ${stderr}`;
  }

  /** Runs a program beside a workload, or in the hub, to its end. */
  beside(name: string, command: readonly string[]): Promise<CommandResult> {
    return tryCommand("ip", inNamespace(this.#namespaceOf(name), command).slice(1));
  }

  /** Starts a program beside a workload, or in the hub; it is ended with the mesh. */
  spawn(name: string, command: readonly string[]): ChildProcess {
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
    return child;
  }

  #start(name: string, command: readonly string[]): void {
    this.#started.set(name, this.spawn(name, command));
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

  /** Ends all of it, the control plane last, and removes the namespaces. */
  async close(): Promise<void> {
    const plane = this.#started.get("hub");
    await Promise.all(this.#children.map((child) => child !== plane && ended(child, "SIGTERM")));
    if (plane) await ended(plane, "SIGTERM");
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
    const namespace = await this.#addNamespace("hub", this.#options.nameServer ?? hub.v4);
    const { outside = [] } = this.#options;
    const addresses = [`${hub.v4}/16`, ...outside.map((address) => `${address}/32`)];
    const lines = [
      "link add br0 type bridge",
      ...addresses.map((address) => `address add ${address} dev br0`),
      ...(hasIpv6 ? [`address add ${hub.v6}/64 dev br0 nodad`] : []),
      "link set lo up",
      "link set br0 up",
    ];
    await runCommand("ip", ["-n", namespace, "-batch", "-"], { input: lines.join("\n") });
  }

  async #addHost(name: string, addresses: readonly string[]): Promise<void> {
    const hasIpv4 = addresses.some((one) => !isIPv6(one));
    const { nameServer = hasIpv4 ? "127.0.0.1" : "::1" } = this.#options;
    const namespace = await this.#addNamespace(name, nameServer);
    const port = `port${this.#namespaces.length}`;
    const joined = [
      `link add ${port} type veth peer name eth0 netns ${namespace}`,
      `link set ${port} master br0`,
      `link set ${port} up`,
    ];
    await runCommand("ip", ["-n", this.#namespaceOf("hub"), "-batch", "-"], { input: joined.join("\n") });
    const own = addresses.map(
      (one) => `address add ${one}${isIPv6(one) ? "/64 dev eth0 nodad" : "/16 dev eth0"}`,
    );
    const routes = addresses.map((one) => `route replace default via ${isIPv6(one) ? hub.v6 : hub.v4}`);
    const input = ["link set lo up", ...own, "link set eth0 up", ...routes].join("\n");
    await runCommand("ip", ["-n", namespace, "-batch", "-"], { input });
  }

  async #addNamespace(name: string, nameServer: string): Promise<string> {
    const namespace = this.#namespaceOf(name);
    await runCommand("ip", ["netns", "add", namespace]);
    this.#namespaces.push(namespace);
    mkdirSync(`/etc/netns/${namespace}`, { recursive: true });
    writeFileSync(`/etc/netns/${namespace}/resolv.conf`, `nameserver ${nameServer}\n`);
    return namespace;
  }
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const over = once(child, "exit");
  child.kill(signal);
  await over;
}
