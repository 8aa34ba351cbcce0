import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@weft/base/clock";
import { localOperator } from "@weft/control/api/caller";
import { openCertificateAuthority } from "@weft/control/ca/certificate-authority";
import { JwtKeys } from "@weft/control/ca/jwt-keys";
import { Composition } from "@weft/control/compose/composition";
import type { Workload } from "@weft/control/registry/workload";
import type { Lease } from "@weft/control/registry/workload-registry";
import { openStore } from "@weft/control/store/open-store";
import { parseTrustDomain } from "@weft/identity/spiffe-id";
import { GrpcServer } from "@weft/xds/grpc/grpc-server";
import { addressOf, instanceName, portOf, serviceName } from "./names.ts";

export interface SceneSize {
  readonly services: number;
  readonly endpoints: number;
  readonly proxies: number;
}

/** What the clients' process is told. */
export interface ClientOrder {
  readonly port: number;
  readonly proxies: number;
  readonly services: number;
  readonly isReconnect: boolean;
  /** Clients beside them that never read. */
  readonly stuck: number;
}

const maxWaitMs = 180_000;

const log = { info() {}, warn() {}, error: (_: object, text: string) => console.error(text) };

/** A control plane in this process, its workloads registered, and its clients in another. */
export class Scene {
  readonly #size: SceneSize;
  readonly #state = mkdtempSync(join(tmpdir(), "weft-bench-control-"));
  readonly #clients: ChildProcess;
  readonly #leases: Lease[] = [];
  readonly #isHealthy: boolean[] = [];
  readonly converged: number[] = [];
  #plane: Composition | undefined;
  #server: GrpcServer | undefined;
  #store: ReturnType<typeof openStore> | undefined;
  #port = 0;
  #isClosing = false;
  #routeChanges = 0;

  constructor(size: SceneSize) {
    this.#size = size;
    this.#clients = fork(new URL("../control-plane-clients.ts", import.meta.url));
    this.#clients.on("exit", (code, signal) => {
      if (!this.#isClosing) throw new Error(`the clients' process has ended: ${signal ?? code}`);
    });
  }

  async start(): Promise<void> {
    await once(this.#clients, "message");
    await this.#startPlane();
    this.#register();
    await this.plane.idle();
  }

  /** As the agents of all workloads do when a control plane is there. */
  #register(): void {
    const { services, endpoints } = this.#size;
    for (let service = 0; service < services; service += 1) {
      for (let endpoint = 0; endpoint < endpoints; endpoint += 1) {
        const lease = this.plane.registry.register(workload(service, endpoint));
        lease.setHealth(true);
        this.#leases[service * endpoints + endpoint] = lease;
        this.#isHealthy[service * endpoints + endpoint] = true;
      }
    }
  }

  get plane(): Composition {
    return this.#plane!;
  }

  /** All proxies at once; resolves with how long it took until the last had all of it, in ms. */
  async connectClients(isReconnect = false, stuck = 0): Promise<number> {
    const { proxies, services } = this.#size;
    const startMs = performance.now();
    const order: ClientOrder = { port: this.#port, proxies, services, isReconnect, stuck };
    this.#clients.send(order);
    await this.untilSynced();
    return performance.now() - startMs;
  }

  /** As after a crash: a new control plane with nothing but what was stored. */
  async restart(): Promise<void> {
    // Only workloads that are well are remembered: the proxies of others would wait for their agents.
    this.#leases.forEach((lease, at) => {
      lease.setHealth(true);
      this.#isHealthy[at] = true;
    });
    await this.plane.idle();
    this.plane.ads.close();
    await this.#server!.close();
    await this.plane.close();
    this.#store!.close();
    await this.#startPlane();
    this.#register();
  }

  /**
   * Looks every so often; looking costs, where thousands of clients are looked at.
   *
   * @throws Error when it takes longer than anybody would wait
   */
  async untilSynced(everyMs = 20): Promise<void> {
    const { proxies } = this.#size;
    const deadlineMs = performance.now() + maxWaitMs;
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, everyMs));
      const synced = this.plane.countInSync();
      if (synced >= proxies) return;
      if (performance.now() < deadlineMs) continue;
      throw new Error(`${synced} of ${proxies} proxies in sync, ${this.plane.ads.sessions.length} connected`);
    }
  }

  /** One endpoint becomes unhealthy, or healthy again. */
  changeEndpoint(index: number): void {
    const at = index % this.#leases.length;
    this.#isHealthy[at] = !this.#isHealthy[at];
    this.#leases[at]!.setHealth(this.#isHealthy[at]!);
  }

  /** A healthy instance more of one service. */
  join(index: number): void {
    const { services, endpoints } = this.#size;
    const service = index % services;
    const nth = endpoints + Math.floor(index / services);
    const lease = this.plane.registry.register(workload(service, nth));
    lease.setHealth(true);
  }

  /** One VirtualService changes. */
  changeRoute(): void {
    this.#routeChanges += 1;
    const host = serviceName(this.#routeChanges % this.#size.services);
    const files = [{ name: "bench.yaml", text: virtualService(host, this.#routeChanges) }];
    this.plane.api.apply({ files }, { caller: localOperator });
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    const over = once(this.#clients, "exit");
    this.#clients.disconnect();
    await over;
    this.plane.ads.close();
    await this.#server!.close();
    await this.plane.close();
    this.#store!.close();
    rmSync(this.#state, { recursive: true });
  }

  async #startPlane(): Promise<void> {
    const trustDomain = parseTrustDomain("cluster.local");
    const clock = systemClock;
    this.#store = openStore({ directory: this.#state, trustDomain, clock });
    const authority = await openCertificateAuthority({ store: this.#store, trustDomain, clock, log });
    this.#plane = new Composition({
      stateDir: this.#state,
      version: "bench",
      clock,
      log,
      trustDomain,
      store: this.#store,
      authority,
      jwtKeys: await JwtKeys.open(this.#store.jwtKeys, clock, log),
      onConverged: (elapsedMs) => this.converged.push(elapsedMs),
    });
    const { ads } = this.#plane;
    const onError = (error: unknown) => console.error(error);
    this.#server = new GrpcServer({ clock, routes: ads.routes("aggregated"), onError });
    const { port } = await this.#server.listen({ host: "127.0.0.1", port: this.#port });
    this.#port = port;
    this.#plane.start();
  }
}

function workload(service: number, endpoint: number): Workload {
  const name = instanceName(service, endpoint);
  return {
    id: `${name}.default`,
    name,
    workloadName: serviceName(service),
    namespace: "default",
    serviceAccount: serviceName(service),
    service: serviceName(service),
    labels: { app: serviceName(service), version: "v1" },
    addresses: [addressOf(service, endpoint)],
    ports: [{ port: portOf(service), protocol: "http", name: "http", listenPort: portOf(service) }],
    interception: "REDIRECT",
    upstreams: [],
    isHealthy: false,
    hasSidecar: true,
  };
}

function virtualService(host: string, change: number): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${host} }
spec:
  hosts: [${host}]
  http: [{ timeout: ${(change % 50) + 1}s, route: [{ destination: { host: ${host} } }] }]
`;
}
