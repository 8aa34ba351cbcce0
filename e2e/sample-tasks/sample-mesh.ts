import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { findPeer } from "../../packages/testkit/src/peer.ts";
import { LocalMesh } from "../local-mesh.ts";

const envoy = findPeer("envoy");

/** Each task runs with all of them, as sidecars and as gateways. */
export const dataPlanes = envoy ? (["weft", "envoy"] as const) : (["weft"] as const);
export type DataPlane = (typeof dataPlanes)[number];

const testdata = join(import.meta.dirname, "..", "..", "packages", "control", "testdata");
const application = join(import.meta.dirname, "application.mjs");

export interface Application {
  readonly plane: DataPlane;
  readonly ports: readonly string[];
  readonly says?: string;
  readonly calls?: string;
}

/** Istio's sample applications and the files of its tasks, unchanged, in a running mesh. */
export class SampleMesh {
  readonly mesh: LocalMesh;
  readonly #hosts = new Map<string, number>();

  private constructor(mesh: LocalMesh) {
    this.mesh = mesh;
  }

  static async start(): Promise<SampleMesh> {
    return new SampleMesh(await LocalMesh.start());
  }

  close(): Promise<void> {
    return this.mesh.close();
  }

  /** Where a workload is. */
  addressOf(name: string): string {
    const known = this.#hosts.get(name) ?? this.#hosts.size + 1;
    this.#hosts.set(name, known);
    return this.mesh.addressOf(known);
  }

  /**
   * Runs one version of a sample application.
   *
   * @param ports `9080:http`, as `weft run --port` has them
   * @param says how its answers begin, where that is not its version
   * @param calls the service that it calls, `ratings:9080`
   */
  async run(
    app: string,
    version: string,
    { plane, ports, says = version, calls }: Application,
  ): Promise<void> {
    const name = `${app}-${version}`;
    const address = this.addressOf(name);
    const next = `${address}:20000`;
    const flags = [
      ...["--name", app, "--version", version, "--service-account", name],
      ...ports.flatMap((port) => ["--port", port, "--inbound-port", `${number(port)}=2${number(port)}`]),
      ...(calls ? ["--upstream", `${calls}=${next}`] : []),
      ...planeFlags(plane),
    ];
    const command = [process.execPath, application, app, says, address, ...(calls ? [next] : [])];
    await this.mesh.run(name, this.#hosts.get(name)!, flags, command);
  }

  /** Runs a caller, `curl-weft` or `curl-envoy`, that reaches each service at `addressOf(…)` and the port given. */
  async runCaller(plane: DataPlane, services: Readonly<Record<string, number>>): Promise<void> {
    const name = `curl-${plane}`;
    const address = this.addressOf(name);
    const upstreams = Object.entries(services).flatMap(([service, port]) => [
      "--upstream",
      `${service}=${address}:${port}`,
    ]);
    const flags = ["--label", "app=curl", ...upstreams, ...planeFlags(plane)];
    await this.mesh.run(name, this.#hosts.get(name)!, flags, [process.execPath, application, "curl"]);
  }

  /** Runs a gateway; its port 80 is 18080. */
  async runGateway(name: string, plane: DataPlane, label: string): Promise<void> {
    const own = `${name}-${plane}`;
    this.addressOf(own);
    const port = ["--port", "80:http", "--inbound-port", "80=18080"];
    await this.mesh.runGateway(own, this.#hosts.get(own)!, ["--label", label, ...port, ...planeFlags(plane)]);
  }

  /** `weft apply --wait` of files of the samples. */
  async apply(...files: readonly string[]): Promise<void> {
    await this.#change("apply", files);
  }

  /** Of what only the text of a task has. */
  async applyText(text: string): Promise<void> {
    const file = join(this.mesh.state, "task.yaml");
    writeFileSync(file, text);
    await this.#change("apply", [file]);
  }

  /** As the end of each task has it. */
  async remove(...files: readonly string[]): Promise<void> {
    await this.#change("delete", files);
  }

  async #change(verb: "apply" | "delete", files: readonly string[]): Promise<void> {
    const paths = files.flatMap((file) => ["-f", resolve(testdata, file)]);
    const { code, stderr } = await this.mesh.weft(verb, ...paths, "--wait");
    assert.equal(code, 0, stderr);
  }
}

const number = (port: string) => port.split(":")[0]!;

function planeFlags(plane: DataPlane): readonly string[] {
  return plane === "envoy" ? ["--proxy", "envoy", "--envoy-path", envoy!] : [];
}

/** What `ask` answers, `count` times, by how often; an error is an answer too. */
export async function tally(count: number, ask: () => Promise<string>): Promise<Record<string, number>> {
  const answers: Record<string, number> = {};
  for (let i = 0; i < count; i += 1) {
    const answer = await ask().catch((error: unknown) => String(error));
    answers[answer] = (answers[answer] ?? 0) + 1;
  }
  return answers;
}

/** Whether answers came in these shares, and no others; wrong once in a thousand million runs. */
export function assertShares(
  answers: Readonly<Record<string, number>>,
  shares: Readonly<Record<string, number>>,
  what: string,
): void {
  const count = Object.values(answers).reduce((sum, one) => sum + one, 0);
  for (const answer of new Set([...Object.keys(answers), ...Object.keys(shares)])) {
    const share = shares[answer] ?? 0;
    const slack = 6 * Math.sqrt(count * share * (1 - share));
    const got = answers[answer] ?? 0;
    assert.ok(Math.abs(got - count * share) <= slack, `${what}, ${answer}: ${JSON.stringify(answers)}`);
  }
}

/** The status and body of a GET, `200 v1`; the body only where it is 200. */
export async function fetched(url: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  const response = await fetch(url, { headers });
  const body = await response.text();
  return response.status === 200 ? body : String(response.status);
}
