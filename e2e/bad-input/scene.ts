import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CommandResult, tryCommand } from "../../packages/cli/src/demo/command.ts";
import { weftProgram } from "../../packages/testkit/src/weft-program.ts";
import { LocalMesh } from "../local-mesh.ts";

export const isRoot = process.getuid?.() === 0;
/** What runs a command as somebody who may do nothing. */
export const asNobody: readonly string[] = isRoot
  ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
  : [];
/** Why nobody else can be asked, or false: somebody's private folder may hold the whole of `weft`. */
export const skipAsNobody =
  isRoot && spawnSync(asNobody[0]!, [...asNobody.slice(1), weftProgram, "version"]).status !== 0
    ? "uid 65534 cannot run weft from this folder"
    : false;
export const freePorts: readonly string[] = [
  ...["--port", "0", "--plain-port", "0", "--http-port", "0", "--address", "127.0.0.1"],
];

/**
 * A mesh in use, and a directory to make mistakes in: two workloads, `web` and
 * its caller, with calls between them answered.
 */
export class Scene {
  readonly mesh: LocalMesh;
  readonly directory: string;

  private constructor(mesh: LocalMesh) {
    this.mesh = mesh;
    this.directory = mkdtempSync(join(tmpdir(), "weft-bad-"));
    chmodSync(this.directory, 0o755);
    mkdirSync(join(this.directory, "private"), { mode: isRoot ? 0o700 : 0o000 });
    mkdirSync(join(this.directory, "closed"), { mode: 0o555 });
  }

  static async start(): Promise<Scene> {
    const mesh = await LocalMesh.start();
    const app = `require("http").createServer((q, s) => s.end("web")).listen(9080, "${mesh.addressOf(1)}")`;
    const ports = ["--port", "9080:http", "--inbound-port", "9080=19080"];
    await mesh.run("web", 1, ["--version", "v1", ...ports], [process.execPath, "-e", app]);
    const upstream = `web:9080=${mesh.addressOf(2)}:20000`;
    await mesh.run("caller", 2, ["--upstream", upstream], ["sleep", "600"]);
    const scene = new Scene(mesh);
    await mesh.until("a call is answered", async () => (await scene.answer()) === "200 web");
    return scene;
  }

  async close(): Promise<void> {
    await this.mesh.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Runs `weft` in the directory. */
  weft(
    args: readonly string[],
    { prefix = [], env = {} }: { prefix?: readonly string[]; env?: NodeJS.ProcessEnv } = {},
  ): Promise<CommandResult> {
    const [file, ...rest] = [...prefix, weftProgram, ...args];
    const all = { ...process.env, WEFT_STATE: this.mesh.state, ...env };
    return tryCommand(file!, rest, { env: all, cwd: this.directory });
  }

  /** What a call through both sidecars is answered with. */
  async answer(): Promise<string> {
    try {
      const response = await fetch(`http://${this.mesh.addressOf(2)}:20000/`);
      return `${response.status} ${await response.text()}`;
    } catch (error) {
      return String(error);
    }
  }

  /** What must not change: revision, resources, and that calls are answered. */
  async snapshot(): Promise<string> {
    const [resources, status, answer] = await Promise.all([
      this.weft(["get", "all", "-o", "json"]),
      this.weft(["status", "-o", "json"]),
      this.answer(),
    ]);
    return JSON.stringify([JSON.parse(resources.stdout), JSON.parse(status.stdout).revision, answer]);
  }

  /** Writes a file and gives its name. */
  inFile(name: string, text: string): string {
    writeFileSync(join(this.directory, name), text);
    return name;
  }

  async token(serviceAccount: string, ...flags: readonly string[]): Promise<string> {
    const made = await this.weft(["token", "create", "--service-account", serviceAccount, ...flags]);
    return made.stdout.trim();
  }

  /** The command line of another control plane. */
  controlPlane(state: string, ...flags: readonly string[]): readonly string[] {
    return ["control-plane", "--state", join(this.directory, state), ...freePorts, ...flags];
  }

  /** The command line of a workload that wants to join late. */
  run(flags: readonly string[], ...command: readonly string[]): readonly string[] {
    const address = flags.includes("--address") ? [] : ["--address", this.mesh.addressOf(9)];
    return [
      ...["run", "--name", "late", "--capture", "none", ...address],
      ...["--control-plane", this.mesh.controlPlane, "--run-dir", join(this.directory, "run")],
      ...[...flags, "--", ...(command.length > 0 ? command : ["true"])],
    ];
  }
}
