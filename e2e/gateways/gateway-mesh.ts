/** The mesh of the tests of gateways: a gateway of either data plane, members of either, and servers behind them. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import type { Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { tryCommand } from "../../packages/cli/src/demo/command.ts";
import { findPeer } from "../../packages/testkit/src/peer.ts";
import { TestCa } from "../../packages/testkit/src/test-ca.ts";
import { LocalMesh } from "../local-mesh.ts";
import { configMap, secret } from "./certificates.ts";
import {
  bookinfoOfGatewayApi,
  eastWest,
  edgeOfGatewayApi,
  httpbinGateway,
  tlsGateway,
} from "./configuration.ts";
import { echo, secure, startBackend } from "./servers.ts";

const envoy = findPeer("envoy");
/** Undefined: there is none on this machine, and no test of this. */
export const curl = findPeer("curl");
export const kinds = envoy ? (["weft", "envoy"] as const) : (["weft"] as const);
export type Kind = (typeof kinds)[number];

const samples = join(import.meta.dirname, "..", "..", "packages", "control", "testdata", "istio-bookinfo");
export const hosts = {
  productpage: 1,
  httpbin: 2,
  secure: 3,
  member: { weft: 4, envoy: 5 },
  gateway: { weft: 10, envoy: 11 },
} as const;

/** Where a member's application calls what is behind either gateway. */
export const throughPort = { weft: 7001, envoy: 7002 } as const;

/** Of the servers. */
export const ca = new TestCa();
/** Of those who call them. */
export const clients = new TestCa();
export const server = (name: string) => ca.leaf(undefined, undefined, { uris: [], dnsNames: [name] });
const client = (name: string) => clients.leaf(undefined, undefined, { uris: [], dnsNames: [name] });

/** What an application behind a gateway answers. */
export interface Echoed {
  readonly service: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

export class GatewayMesh {
  readonly mesh: LocalMesh;
  /** What one.example.com shows at first. */
  readonly one = server("one.example.com");
  readonly #folder: string;
  #backend: Server | undefined;

  private constructor(mesh: LocalMesh) {
    this.mesh = mesh;
    this.#folder = join(mesh.state, "certificates");
  }

  /** Resolves when every gateway serves what is configured. */
  static async start(): Promise<GatewayMesh> {
    const scene = new GatewayMesh(await LocalMesh.start());
    try {
      scene.#writeCertificates();
      await scene.#runWorkloads();
      await scene.#configure();
      return scene;
    } catch (error) {
      await scene.close();
      throw error;
    }
  }

  close(): Promise<void> {
    this.#backend?.close();
    return this.mesh.close();
  }

  async apply(name: string, text: string): Promise<void> {
    const file = join(this.mesh.state, name);
    writeFileSync(file, text, { mode: 0o600 });
    const { code, stderr } = await this.mesh.weft("apply", "-f", file, "--wait");
    assert.equal(code, 0, stderr);
  }

  /** As curl gets it: status 0 where there was no answer. */
  async get(kind: Kind, url: string, ...flags: readonly string[]) {
    const { hostname, port } = new URL(url);
    const to = ["--connect-to", `${hostname}:${port}:${this.addressOf(kind)}:${port}`];
    const how = ["-sS", "-i", "--max-time", "10", "--cacert", join(this.#folder, "ca.pem")];
    const { stdout, stderr } = await tryCommand(curl!, [...how, ...to, ...flags, url]);
    const [head = "", ...rest] = stdout.split("\r\n\r\n");
    const status = Number(/^HTTP\S+ (\d+)/.exec(head)?.[1] ?? 0);
    const body = rest.join("\r\n\r\n");
    return { status, head, body, stderr, echoed: () => JSON.parse(body) as Echoed };
  }

  /** Flags by which curl shows the certificate of somebody: `friend`, `stranger`, `forged`. */
  as(name: string): readonly string[] {
    return ["--cert", join(this.#folder, `${name}.pem`), "--key", join(this.#folder, `${name}.key`)];
  }

  /** Of a gateway. */
  addressOf(kind: Kind): string {
    return this.mesh.addressOf(hosts.gateway[kind]);
  }

  #writeCertificates(): void {
    mkdirSync(this.#folder);
    writeFileSync(join(this.#folder, "ca.pem"), ca.bundlePem);
    for (const [name, { chainPem, keyPem }] of Object.entries({
      friend: client("friend.example.com"),
      stranger: client("stranger.example.com"),
      forged: ca.leaf(undefined, undefined, { uris: [], dnsNames: ["friend.example.com"] }),
    })) {
      writeFileSync(join(this.#folder, `${name}.pem`), chainPem);
      writeFileSync(join(this.#folder, `${name}.key`), keyPem);
    }
  }

  async #runWorkloads(): Promise<void> {
    const { mesh } = this;
    const app = (name: string, port: number, kind: string, script: string) =>
      mesh.run(
        name,
        hosts[name as "httpbin"],
        ["--port", `${port}:${kind}`, "--inbound-port", `${port}=1${port}`],
        ["env", `NAME=${name}`, process.execPath, "-e", script],
      );
    await app("productpage", 9080, "http", echo(mesh.addressOf(hosts.productpage), 9080));
    await app("httpbin", 8000, "http", echo(mesh.addressOf(hosts.httpbin), 8000));
    await app("secure", 9443, "tls", secure(mesh.addressOf(hosts.secure), server("secure.example.com")));
    for (const kind of kinds) {
      const proxy = kind === "envoy" ? ["--proxy", "envoy", "--envoy-path", envoy!] : [];
      const names = ["istio=ingressgateway", "gateway.networking.k8s.io/gateway-name=bookinfo-gateway"];
      const labels = names.flatMap((name) => ["--label", name]);
      const ports = ["--port", "80:http", "--inbound-port", "80=8000"];
      await mesh.runGateway(`ingress-${kind}`, hosts.gateway[kind], [...proxy, ...labels, ...ports]);

      // Nobody calls a member: it is here to call.
      const idle = [process.execPath, "-e", "setInterval(() => {}, 1000)"];
      const own = mesh.addressOf(hosts.member[kind]);
      const upstreams = kinds.flatMap((through) => [
        "--upstream",
        `via-${through}.example:80=${own}:${throughPort[through]}`,
      ]);
      await mesh.run(`member-${kind}`, hosts.member[kind], [...proxy, ...upstreams], idle);
    }
  }

  async #configure(): Promise<void> {
    const { mesh, one } = this;
    await this.apply("east-west.yaml", eastWest(kinds.map((kind) => [kind, this.addressOf(kind)])));
    await this.apply("bookinfo.yaml", readFileSync(join(samples, "bookinfo-gateway.yaml"), "utf8"));
    await this.apply("httpbin.yaml", httpbinGateway);
    await this.apply("gateway-api.yaml", bookinfoOfGatewayApi);
    const trust = { "ca.crt": clients.bundlePem };
    await this.apply(
      "tls.yaml",
      secret("one", one) +
        secret("two", server("two.example.com"), trust) +
        secret("open", server("open.example.com"), trust) +
        tlsGateway,
    );
    this.#backend = await startBackend(server("backend.internal"), clients);
    const names = kinds.map((kind) => `ingress-${kind}`);
    const edge = edgeOfGatewayApi(names, (this.#backend.address() as AddressInfo).port);
    const secrets = [
      secret("edge", one),
      secret("edge-client", client("edge.example.com")),
      secret("team", server("team.example.com"), {}, "team"),
    ];
    const trusted = configMap("edge-clients", clients) + configMap("backend-roots", ca);
    await this.apply("edge.yaml", edge + secrets.join("") + trusted);
    for (const kind of kinds) {
      for (const url of [
        "https://one.example.com:9444/productpage",
        "https://team.example.com:9444/",
        "http://one.example.com:8080/productpage",
        "https://secure.example.com:8443/",
      ]) {
        await mesh.until(`${kind} serves ${url}`, async () => (await this.get(kind, url)).status === 200);
      }
    }
  }
}
