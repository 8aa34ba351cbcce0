import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CommandResult } from "../../packages/cli/src/demo/command.ts";
import type { RolloutEvent } from "../../packages/control/src/api/rollout-protocol.ts";
import { LocalMesh } from "../local-mesh.ts";

const app = join(import.meta.dirname, "app.mjs");
const hosts = { web: 1, v1: 2, v3: 3, v4: 4, v5: 5 } as const;
type Version = "v1" | "v3" | "v4" | "v5";

const subsets = ["v1", "v3", "v4", "v5"]
  .map((name) => `{ name: ${name}, labels: { version: ${name} } }`)
  .join(", ");
export const route = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: api }
spec:
  hosts: [api]
  http:
    # everything, until a rollout says otherwise
    - route: [{ destination: { host: api, subset: v1 } }]
`;
const configuration = `${route}---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: api }
spec: { host: api, subsets: [${subsets}] }
`;

/** What a caller met since a time. */
export interface Met {
  readonly calls: number;
  readonly failed: number;
  readonly byVersion: Readonly<Record<string, number>>;
}

/** A service in several versions behind real sidecars, and a caller that never stops calling it. */
export class RolloutMesh {
  readonly mesh: LocalMesh;
  #calls: { readonly version: string; readonly isGood: boolean }[] = [];
  #isCalling = true;
  #caller: Promise<void> = Promise.resolve();

  private constructor(mesh: LocalMesh) {
    this.mesh = mesh;
  }

  /** @param envoy where Envoy is: v4 has it as its sidecar; undefined: there is no v4. */
  static async start(envoy: string | undefined): Promise<RolloutMesh> {
    const mesh = await LocalMesh.start("--canary-allow", "127.0.0.0/8");
    const one = new RolloutMesh(mesh);
    await one.#run("v1");
    await one.#run("v3");
    if (envoy !== undefined) await one.#run("v4", "--proxy", "envoy", "--envoy-path", envoy);
    const web = mesh.addressOf(hosts.web);
    const idle = [process.execPath, "-e", "setInterval(() => {}, 1000)"];
    await mesh.run("web", hosts.web, ["--upstream", `api:8080=${web}:20000`], idle);
    const file = join(mesh.state, "mesh.yaml");
    writeFileSync(file, configuration);
    const { code, stderr } = await mesh.weft("apply", "-f", file, "--wait");
    if (code !== 0) throw new Error(stderr);
    await mesh.until("web reaches v1", () => one.#call());
    const versions = envoy === undefined ? 2 : 3;
    await mesh.until("every version is healthy", async () => {
      const { workloads } = JSON.parse((await mesh.weft("status", "-o", "json")).stdout);
      const healthy = (workloads as { service: string; isHealthy: boolean }[]).filter(
        ({ service, isHealthy }) => service === "api" && isHealthy,
      );
      return healthy.length === versions;
    });
    one.#calls = [];
    one.#caller = one.#callOn();
    return one;
  }

  async close(): Promise<void> {
    this.#isCalling = false;
    await this.#caller;
    await this.mesh.close();
  }

  /** Tells a version how to be, beside its sidecar. */
  async tell(version: Version, how: "well" | "broken" | "slow"): Promise<void> {
    const url = `http://${this.mesh.addressOf(hosts[version])}:8080/be/${how}`;
    await (await fetch(url)).text();
  }

  /** What the caller has met since the last time it was asked. */
  met(): Met {
    const calls = this.#calls.splice(0);
    const byVersion: Record<string, number> = {};
    for (const { version } of calls) byVersion[version] = (byVersion[version] ?? 0) + 1;
    return { calls: calls.length, failed: calls.filter(({ isGood }) => !isGood).length, byVersion };
  }

  /** `weft rollout api …`, with the events it told. */
  async rollout(
    ...flags: readonly string[]
  ): Promise<CommandResult & { readonly events: readonly RolloutEvent[] }> {
    const result = await this.mesh.weft("rollout", "api", "-o", "json", ...flags);
    const events = result.stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as RolloutEvent);
    return { ...result, events };
  }

  async apply(yaml: string): Promise<CommandResult> {
    const file = join(this.mesh.state, "apply.yaml");
    writeFileSync(file, yaml);
    return this.mesh.weft("apply", "-f", file);
  }

  /** The status of the Canary. */
  async canary(): Promise<{ readonly phase: string; readonly lastPromotedSpec: string } | undefined> {
    const { stdout } = await this.mesh.weft("get", "canary", "api", "-o", "json");
    return stdout === "" ? undefined : JSON.parse(stdout).status;
  }

  start(version: Version): Promise<void> {
    return this.#run(version);
  }

  /** The route as it is applied now. */
  async route(): Promise<string> {
    return (await this.mesh.weft("get", "vs", "api", "-o", "yaml")).stdout;
  }

  #run(version: Version, ...flags: readonly string[]): Promise<void> {
    const place = `${this.mesh.addressOf(hosts[version])}:8080`;
    const who = ["--name", "api", "--version", version, "--service-account", `api-${version}`];
    const ports = ["--port", "8080:http", "--inbound-port", "8080=18080"];
    const command = [process.execPath, app, place, version];
    return this.mesh.run(`api-${version}`, hosts[version], [...who, ...ports, ...flags], command);
  }

  async #call(): Promise<boolean> {
    try {
      const response = await fetch(`http://${this.mesh.addressOf(hosts.web)}:20000/`);
      const version = await response.text();
      this.#calls.push({ version, isGood: response.ok });
      return response.ok;
    } catch {
      this.#calls.push({ version: "", isGood: false });
      return false;
    }
  }

  /** Some forty calls a second, four at a time at most. */
  async #callOn(): Promise<void> {
    const lane = async () => {
      while (this.#isCalling) {
        await this.#call();
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    };
    await Promise.all(Array.from({ length: 4 }, lane));
  }
}
