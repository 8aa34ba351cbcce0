import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inNamespace } from "../../packages/cli/src/demo/network.ts";
import { ApiClient } from "../../packages/control/src/api/client.ts";
import { until } from "../../packages/testkit/src/until.ts";
import { weftProgram } from "../../packages/testkit/src/weft-program.ts";
import type { Answer } from "./compare.ts";
import { controlPlaneAddress, Namespaces } from "./namespaces.ts";
import { testdata } from "./testdata.ts";

/** The workloads of `base/manifests.yaml`. */
const workloads = {
  "echo-v1": { namespace: "gateway-conformance-mesh", version: "v1", address: "10.99.0.11" },
  "echo-v2": { namespace: "gateway-conformance-mesh", version: "v2", address: "10.99.0.12" },
  consumer: { namespace: "gateway-conformance-mesh-consumer", version: "v1", address: "10.99.0.13" },
} as const;
export type EchoName = keyof typeof workloads;

/** One request, or `count` of them, of a workload's application. */
export interface Order {
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly count?: number;
}

/** Plaintext arrives too, as with Istio's default: one case calls a pod by its address. */
const permissive = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: istio-system }
spec: { mtls: { mode: PERMISSIVE } }
`;

/**
 * A control plane and the echo workloads, each in a network namespace with an
 * agent and a sidecar that takes its traffic, as a user would start them.
 */
export class EchoMesh {
  readonly #state = mkdtempSync(join(tmpdir(), "weft-gwapi-"));
  readonly #namespaces: Namespaces;
  readonly #children: ChildProcess[] = [];
  readonly #dataPlane: readonly string[];
  #said = "";
  readonly #api: ApiClient;

  /** @param dataPlane flags of `weft run` that choose it */
  constructor(name: string, dataPlane: readonly string[]) {
    this.#namespaces = new Namespaces(`weft-gwapi-${process.pid}-${name}`);
    this.#dataPlane = dataPlane;
    // Sidecars run as their own user, and their sockets are in here.
    chmodSync(this.#state, 0o755);
    this.#api = new ApiClient({ socketPath: join(this.#state, "plane", "api.sock") });
  }

  addressOf(name: EchoName): string {
    return workloads[name].address;
  }

  async start(): Promise<void> {
    await this.#namespaces.create();
    const plane = join(this.#state, "plane");
    const where = ["--address", controlPlaneAddress, "--http-address", controlPlaneAddress];
    this.#spawn(this.#namespaces.switch, ["control-plane", "--state", plane, ...where]);
    await this.until("the control plane is ready", () => this.#said.includes("control plane ready"));
    const manifests = readFileSync(new URL("base/manifests.yaml", testdata), "utf8");
    await this.apply("base/manifests.yaml", `${manifests}\n---\n${permissive}`);
    for (const name of Object.keys(workloads) as EchoName[]) await this.#startWorkload(name);
    await this.until("all sidecars are in sync", async () => {
      const { proxies, workloads: known } = await this.#api.status();
      const synced = proxies.filter(({ role, state }) => role === "sidecar" && state === "synced");
      return synced.length === 3 && known.length === 3 && known.every(({ isHealthy }) => isHealthy);
    });
  }

  /** Applies a file, and waits until every sidecar has acknowledged it. */
  async apply(name: string, text: string): Promise<void> {
    const { revision } = await this.#api.apply({ files: [{ name, text }] });
    await this.#api.sync(revision, 30_000);
  }

  /** Deletes what is there of the Gateway API. */
  async deleteRoutes(): Promise<void> {
    const { resources } = await this.#api.listResources();
    for (const resource of resources) {
      if (resource.apiVersion.startsWith("gateway.networking")) await this.#api.deleteResource(resource);
    }
  }

  /** What the application of a workload gets when it makes these requests, one after the other. */
  ask(from: EchoName, order: Order): Promise<readonly Answer[]> {
    return this.#tell(from, order);
  }

  /** How often a path was asked for at a workload. */
  async seenBy(name: EchoName, path: string): Promise<number> {
    const [answer] = await this.#tell(name, { seen: path });
    return answer!.status!;
  }

  #tell(from: EchoName, order: Order | { readonly seen: string }): Promise<readonly Answer[]> {
    return new Promise((resolve, reject) => {
      const options = { socketPath: this.#socketOf(from), method: "POST", path: "/" };
      const asked = request(options, async (response) => {
        let text = "";
        for await (const chunk of response) text += String(chunk);
        resolve(JSON.parse(text) as readonly Answer[]);
      });
      asked.on("error", reject);
      asked.end(JSON.stringify(order));
    });
  }

  /** Waits for something to become true; what the processes said is in the error when it does not. */
  until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
    return until(what, check, { everyMs: 100, said: () => this.#said });
  }

  async close(): Promise<void> {
    for (const child of this.#children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const over = once(child, "exit");
      child.kill("SIGTERM");
      await over;
    }
    await this.#namespaces.remove();
    rmSync(this.#state, { recursive: true, force: true });
  }

  #socketOf(name: EchoName): string {
    return join(this.#state, `${name}.sock`);
  }

  async #startWorkload(name: EchoName): Promise<void> {
    const { namespace, version, address } = workloads[name];
    const host = await this.#namespaces.addHost(name, address, namespace);
    const serviceAccount = `echo-${version}`;
    const { token } = await this.#api.createToken({ namespace, serviceAccount });
    const who = ["--name", "echo", "--version", version, "--namespace", namespace];
    const ports = ["8080:http", "7070:grpc", "9090:tcp"].flatMap((port) => ["--port", port]);
    this.#spawn(host, [
      "run",
      ...who,
      ...["--service-account", serviceAccount, "--token", token],
      ...["--address", address, "--control-plane", `${controlPlaneAddress}:15012`],
      ...["--capture", "nft", "--run-dir", join(this.#state, name), "--access-log", "none", ...ports],
      ...this.#dataPlane,
      "--",
      process.execPath,
      ...[join(import.meta.dirname, "echo.mjs"), serviceAccount, namespace, this.#socketOf(name)],
    ]);
  }

  #spawn(namespace: string, args: readonly string[]): void {
    const [command, ...rest] = inNamespace(namespace, [weftProgram, ...args]);
    const child = spawn(command!, rest, { stdio: ["ignore", "pipe", "pipe"] });
    this.#children.push(child);
    const keep = (chunk: Buffer) => {
      this.#said = (this.#said + chunk).slice(-20_000);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
  }
}
