import type { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { ApiClient } from "../packages/control/src/api/client.ts";
import type { CaStatus } from "../packages/control/src/api/protocol.ts";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { LocalMesh } from "./local-mesh.ts";

const envoy = findPeer("envoy");

/** Why there are not both data planes on this machine; undefined where there are. */
export const noPairs: string | undefined = envoy
  ? undefined
  : "no envoy on PATH, in WEFT_PEERS or ~/.cache/weft/peers";

export const kinds = ["weft", "envoy"] as const;
export type Kind = (typeof kinds)[number];
/** Each data plane calling each. */
export const pairs = kinds.flatMap((caller) => kinds.map((callee) => [caller, callee] as const));

const hosts = { caller: { weft: 1, envoy: 2 }, api: { weft: 3, envoy: 4 } } as const;
const httpPort = (callee: Kind) => (callee === "weft" ? 20000 : 20001);
const tcpPort = (callee: Kind) => (callee === "weft" ? 20002 : 20003);
const idle = "setInterval(() => {}, 1000)";
const app = (address: string) => `
  require("http").createServer((_, response) => response.end("x".repeat(100))).listen(8080, ${JSON.stringify(address)});
  require("net").createServer((socket) => socket.pipe(socket)).listen(7000, ${JSON.stringify(address)});
`;
const proxyFlags = (kind: Kind) => (kind === "envoy" ? ["--proxy", "envoy", "--envoy-path", envoy!] : []);

export type Role = "caller" | "api";

export interface PairsOptions {
  /** Of `weft control-plane`. */
  readonly planeFlags: readonly string[];
  /** What a workload's processes find in their environment beside this process's. */
  readonly envOf?: (role: Role, kind: Kind) => NodeJS.ProcessEnv;
}

/** Our sidecar and Envoy, each before a caller and before a service (HTTP and TCP) that both callers call. */
export class MeshPairs {
  readonly mesh: LocalMesh;

  private constructor(mesh: LocalMesh) {
    this.mesh = mesh;
  }

  /** Resolves when every pair calls. */
  static async start(options: PairsOptions): Promise<MeshPairs> {
    const scene = new MeshPairs(await LocalMesh.start(...options.planeFlags));
    try {
      await scene.#run(options.envOf ?? (() => ({})));
      return scene;
    } catch (error) {
      await scene.close();
      throw error;
    }
  }

  async #run(envOf: NonNullable<PairsOptions["envOf"]>): Promise<void> {
    const { mesh } = this;
    for (const kind of kinds) {
      const [caller, api] = [mesh.addressOf(hosts.caller[kind]), mesh.addressOf(hosts.api[kind])];
      const ports = ["--port", "8080:http", "--inbound-port", "8080=18080"];
      ports.push("--port", "7000:tcp", "--inbound-port", "7000=17000", ...proxyFlags(kind));
      const command = [process.execPath, "-e", app(api)];
      await mesh.run(`api-${kind}`, hosts.api[kind], ports, command, envOf("api", kind));
      const upstreams = kinds.flatMap((callee) => [
        ...["--upstream", `api-${callee}:8080=${caller}:${httpPort(callee)}`],
        ...["--upstream", `api-${callee}:7000=${caller}:${tcpPort(callee)}`],
      ]);
      const flags = [...upstreams, ...proxyFlags(kind)];
      const waits = [process.execPath, "-e", idle];
      await mesh.run(`caller-${kind}`, hosts.caller[kind], flags, waits, envOf("caller", kind));
    }
    for (const [caller, callee] of pairs) {
      await mesh.until(`${caller} reaches ${callee}`, async () => {
        return (await this.isAnswered(caller, callee)) && (await this.isEchoed(caller, callee));
      });
    }
  }

  /** Names of the four workloads. */
  get workloads(): readonly string[] {
    return kinds.flatMap((kind) => [`api-${kind}`, `caller-${kind}`]);
  }

  url(caller: Kind, callee: Kind): string {
    return `http://${this.mesh.addressOf(hosts.caller[caller])}:${httpPort(callee)}/`;
  }

  /** Over a connection between the sidecars that may be an old one. */
  isAnswered(caller: Kind, callee: Kind): Promise<boolean> {
    return fetch(this.url(caller, callee)).then(
      (response) => response.ok,
      () => false,
    );
  }

  /** A connection of its own, and so a handshake of its own between the sidecars. */
  isEchoed(caller: Kind, callee: Kind): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(tcpPort(callee), this.mesh.addressOf(hosts.caller[caller]));
      let isDone = false;
      socket.on("error", () => {});
      socket.on("data", () => {
        isDone = true;
        socket.end();
      });
      socket.on("close", () => resolve(isDone));
      // What is refused is closed: nothing comes for so long where a machine is busy, or something hangs.
      socket.setTimeout(30_000, () => socket.destroy());
      socket.write("x");
    });
  }

  /** Asked within this process: a phase of a rotation may last no longer than starting a command does. */
  status(): Promise<CaStatus> {
    return new ApiClient({ socketPath: join(this.mesh.state, "api.sock") }).caStatus();
  }

  /** The certificate that a service's sidecar shows now. */
  async shownBy(kind: Kind): Promise<X509Certificate> {
    const where = { host: this.mesh.addressOf(hosts.api[kind]), port: 18080, ALPNProtocols: ["istio"] };
    const socket = connectTls({ ...where, rejectUnauthorized: false });
    socket.on("error", () => {});
    await once(socket, "secureConnect");
    const certificate = socket.getPeerX509Certificate()!;
    socket.destroy();
    return certificate;
  }

  close(): Promise<void> {
    return this.mesh.close();
  }
}
