/** A real control plane that issues from the authority of the other attacks, and what an attacker can say to it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import { systemClock } from "@weft/base/clock";
import { ApiClient } from "@weft/control/api/client";
import { type ControlPlane, startControlPlane } from "@weft/control/control-plane";
import { createCsr } from "@weft/identity/csr";
import { formatPrivateKey, generateKeyPair } from "@weft/identity/key-pair";
import { parseSpiffeId } from "@weft/identity/spiffe-id";
import { AdsClient, type AdsClientOptions } from "@weft/xds/ads-client";
import { IstioCertificateService } from "@weft/xds/gen/istio/v1/auth/ca_pb";
import { GrpcChannel } from "@weft/xds/grpc/grpc-channel";
import { typeUrl } from "@weft/xds/type-url";
import { authority } from "./guarded-scene.ts";

export interface Certificate {
  readonly key: string;
  readonly chain: string;
}

export interface NodeName {
  readonly workload: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  /** It says that it is a gateway. */
  readonly isGateway?: boolean;
}

interface Told {
  /** Of configuration. */
  readonly bytes: number;
  readonly error: string;
}

const silent = { info: () => {}, warn: () => {}, error: () => {} };

export class ControlPlaneScene {
  readonly api: ApiClient;
  readonly #plane: ControlPlane;
  readonly #stateDir: string;
  readonly #root: string;
  readonly #inside: Server;
  readonly #clients: AdsClient[] = [];
  /** Requests that reached a server inside the control plane's own network. */
  insideAsked = 0;

  private constructor(plane: ControlPlane, api: ApiClient, stateDir: string, root: string) {
    this.api = api;
    this.#plane = plane;
    this.#stateDir = stateDir;
    this.#root = root;
    this.#inside = createServer((_, response) => {
      this.insideAsked += 1;
      response.end("{}");
    }).listen(0, "127.0.0.1");
  }

  static async start(): Promise<ControlPlaneScene> {
    const stateDir = mkdtempSync(join(tmpdir(), "weft-attack-"));
    const issuer = mkdtempSync(join(tmpdir(), "weft-attack-"));
    const write = (name: string, text: string) => {
      writeFileSync(join(issuer, name), text, { mode: 0o600 });
      return join(issuer, name);
    };
    const certificate = write("root.pem", authority.bundlePem);
    const plane = await startControlPlane({
      stateDir,
      issuingFiles: {
        certificate,
        key: write("key.pem", formatPrivateKey(authority.rootKeys.privateKey)),
        root: certificate,
      },
      trustDomain: "cluster.local",
      address: "127.0.0.1",
      port: 0,
      plain: { address: "127.0.0.1", port: 0 },
      httpAddress: "127.0.0.1",
      httpPort: 0,
      federation: { fetching: { allowed: ["127.0.0.1"] } },
      version: "test",
      log: silent,
    });
    rmSync(issuer, { recursive: true });
    const api = new ApiClient({ socketPath: plane.socketPath });
    return new ControlPlaneScene(plane, api, stateDir, (await api.caStatus()).rootPem);
  }

  /** Of the server inside. */
  get insidePort(): number {
    return (this.#inside.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#inside.close();
    for (const client of this.#clients) client.close();
    await this.#plane.close();
    rmSync(this.#stateDir, { recursive: true, force: true });
  }

  async token(serviceAccount: string, isGateway = false): Promise<string> {
    return (await this.api.createToken({ namespace: "default", serviceAccount, isGateway })).token;
  }

  /** Asks for a certificate of `identity` with a token, or with another certificate. @throws GrpcError */
  async certify(
    identity: string,
    by: { readonly token?: string; readonly certificate?: Certificate },
  ): Promise<Certificate> {
    const channel = new GrpcChannel({ clock: systemClock, target: this.#target(by.certificate) });
    try {
      const keys = await generateKeyPair();
      const { certChain } = await channel.unary(
        IstioCertificateService.method.createCertificate,
        { csr: createCsr(keys, parseSpiffeId(identity)) },
        { metadata: by.token === undefined ? [] : [["authorization", `Bearer ${by.token}`]] },
      );
      return { key: formatPrivateKey(keys.privateKey), chain: certChain.join("") };
    } finally {
      channel.close();
    }
  }

  /** Registers a workload as its agent does, and leaves it registered. */
  register(node: NodeName, certificate: Certificate): void {
    const agent = this.#client(
      { ...node, role: "agent" },
      certificate,
      { onResources: () => undefined },
      () => {},
    );
    agent.subscribe(typeUrl.nameTable, "*");
    agent.report(typeUrl.health);
    this.#clients.push(agent);
  }

  /** What somebody is told who shows a certificate and says it is this node: resources, or why it gets none. */
  askForConfiguration(
    node: NodeName & { readonly role: "agent" | "sidecar" },
    certificate: Certificate | undefined,
  ): Promise<Told> {
    return new Promise((resolve) => {
      const finish = (told: Told) => {
        client.close();
        resolve(told);
      };
      const client = this.#client(
        node,
        certificate,
        {
          onResources(_, { added }) {
            if (added.length > 0)
              finish({ bytes: added.reduce((sum, { body }) => sum + body.length, 0), error: "" });
            return undefined;
          },
        },
        (state) => {
          if (state.t === "waiting") finish({ bytes: 0, error: state.error.message });
        },
      );
      client.subscribe(node.role === "agent" ? typeUrl.nameTable : typeUrl.listener, "*");
    });
  }

  #client(
    {
      role,
      workload,
      namespace,
      serviceAccount,
      isGateway = false,
    }: NodeName & { readonly role: "agent" | "sidecar" },
    certificate: Certificate | undefined,
    handler: AdsClientOptions["handler"],
    onState: NonNullable<AdsClientOptions["onState"]>,
  ): AdsClient {
    const client = new AdsClient({
      clock: systemClock,
      target: this.#target(certificate),
      mode: "sotw",
      handler,
      onState,
      node: () => ({
        id: `${role}~127.0.0.1~${workload}.${namespace}~${namespace}.svc.cluster.local`,
        cluster: workload,
        metadata: {
          NAME: workload,
          WORKLOAD_NAME: workload,
          NAMESPACE: namespace,
          SERVICE_ACCOUNT: serviceAccount,
          INSTANCE_IPS: "127.0.0.1",
          WEFT_VERSION: "0.1.0",
          ...(isGateway
            ? { INTERCEPTION_MODE: "NONE", GATEWAY: true }
            : {
                SERVICE: workload,
                INTERCEPTION_MODE: "REDIRECT",
                APP_PORTS: [{ port: 9080, protocol: "http", name: "http" }],
              }),
        },
      }),
    });
    client.start();
    return client;
  }

  #target(certificate: Certificate | undefined) {
    const options = {
      ca: this.#root,
      servername: "weft-control-plane",
      ...(certificate && {
        secureContext: createSecureContext({ key: certificate.key, cert: certificate.chain, ca: this.#root }),
      }),
    };
    return { address: { host: "127.0.0.1", port: this.#plane.port }, tls: () => ({ options }) };
  }
}
