import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { type EventEmitter, once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { systemClock } from "@weft/base/clock";
import { UserError } from "@weft/base/errors";
import { createCsr } from "@weft/identity/csr";
import { generateKeyPair } from "@weft/identity/key-pair";
import { parseSpiffeId } from "@weft/identity/spiffe-id";
import { findPeer } from "@weft/testkit/peer";
import { AdsClient } from "@weft/xds/ads-client";
import { ClusterLoadAssignmentSchema } from "@weft/xds/gen/envoy/config/endpoint/v3/endpoint_pb";
import { RouteConfigurationSchema } from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import {
  ClientStatusDiscoveryService,
  ClientStatusRequestSchema,
  type ClientStatusResponse,
  ClientStatusResponseSchema,
  ConfigStatus,
} from "@weft/xds/gen/envoy/service/status/v3/csds_pb";
import { NameTableSchema } from "@weft/xds/gen/istio/networking/nds/v1/nds_pb";
import { IstioCertificateService } from "@weft/xds/gen/istio/v1/auth/ca_pb";
import { MetricsService } from "@weft/xds/gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb";
import { GrpcChannel } from "@weft/xds/grpc/grpc-channel";
import { methodPath } from "@weft/xds/grpc/grpc-route";
import { typeUrl } from "@weft/xds/type-url";
import { type ApiClient, ApiError } from "./api/client.ts";
import { CheckedApiClient } from "./api/test-checked-client.ts";
import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from "./control-plane.ts";
import { enrol, type Identity, targetOf } from "./test-enrol.ts";

const silent = { info: () => {}, warn: () => {}, error: () => {} };

interface Setting {
  readonly plane: Pick<ControlPlane, "port" | "httpPort" | "socketPath" | "operatorSocket">;
  readonly api: ApiClient;
}

async function setUp(
  t: TestContext,
  changes: Partial<ControlPlaneOptions> = {},
): Promise<Setting & { readonly stateDir: string }> {
  const stateDir = mkdtempSync(join(tmpdir(), "weft-control-"));
  t.after(() => rmSync(stateDir, { recursive: true, force: true }));
  const plane = await startControlPlane(optionsOf(stateDir, changes));
  t.after(() => plane.close());
  return { stateDir, plane, api: new CheckedApiClient({ socketPath: plane.socketPath }) };
}

function optionsOf(stateDir: string, changes: Partial<ControlPlaneOptions> = {}): ControlPlaneOptions {
  return {
    stateDir,
    trustDomain: "cluster.local",
    address: "127.0.0.1",
    port: 0,
    plain: { address: "127.0.0.1", port: 0 },
    httpAddress: "127.0.0.1",
    httpPort: 0,
    version: "test",
    log: silent,
    ...changes,
  };
}

const address: Readonly<Record<string, string>> = {
  reviews: "10.9.0.1",
  ratings: "10.9.0.2",
  web: "10.9.0.3",
};

function nodeOf(role: "agent" | "sidecar", service: string, version = "v1") {
  const name = `${service}-${version}-1`;
  return {
    id: `${role}~${address[service]}~${name}.default~default.svc.cluster.local`,
    cluster: service,
    metadata: {
      NAME: name,
      WORKLOAD_NAME: `${service}-${version}`,
      NAMESPACE: "default",
      SERVICE_ACCOUNT: service,
      SERVICE: service,
      LABELS: { app: service, version },
      INSTANCE_IPS: address[service]!,
      INTERCEPTION_MODE: "REDIRECT",
      WEFT_VERSION: "0.1.0",
      APP_PORTS: [{ port: 9080, protocol: "http", name: "http" }],
    },
  };
}

/** A real ADS client that keeps what it was given. */
class TestClient {
  readonly held = new Map<string, Map<string, Uint8Array>>();
  readonly client: AdsClient;
  refuse: { readonly type: string; readonly text: string } | undefined;
  lastError: string | undefined;

  constructor(t: TestContext, setting: Setting, node: ReturnType<typeof nodeOf>, identity: Identity) {
    this.client = new AdsClient({
      clock: systemClock,
      target: targetOf(setting.plane, identity.root, identity),
      node: () => node,
      mode: "delta",
      backoff: { baseMs: 20, maxMs: 100 },
      handler: {
        onResources: (type, { added, removed }) => {
          if (this.refuse?.type === type) return this.refuse.text;
          const held = this.held.get(type) ?? new Map();
          this.held.set(type, held);
          for (const { name, body } of added) held.set(name, Uint8Array.from(body));
          for (const name of removed) held.delete(name);
          return undefined;
        },
      },
      onState: (state) => {
        if (state.t === "waiting") this.lastError = state.error.message;
      },
    });
    this.client.start();
    t.after(() => this.client.close());
  }

  get<S extends DescMessage>(type: string, name: string, schema: S): MessageShape<S> | undefined {
    const body = this.held.get(type)?.get(name);
    return body && fromBinary(schema, body);
  }
}

function agentOf(
  t: TestContext,
  setting: Setting,
  service: string,
  identity: Identity,
  metadata: Readonly<Record<string, string>> = {},
): TestClient {
  const node = nodeOf("agent", service);
  const agent = new TestClient(
    t,
    setting,
    { ...node, metadata: { ...node.metadata, ...metadata } },
    identity,
  );
  agent.client.subscribe(typeUrl.nameTable, "*");
  return agent;
}

function sidecarOf(t: TestContext, setting: Setting, service: string, identity: Identity): TestClient {
  const sidecar = new TestClient(t, setting, nodeOf("sidecar", service), identity);
  sidecar.client.subscribe(typeUrl.cluster, "*");
  sidecar.client.subscribe(typeUrl.listener, "*");
  sidecar.client.subscribe(typeUrl.route, ["9080"]);
  sidecar.client.subscribe(typeUrl.endpoint, [reviewsCluster]);
  return sidecar;
}

const reviewsCluster = "outbound|9080||reviews.default.svc.cluster.local";

/** Two workloads with agents and sidecars, healthy. */
async function runningMesh(
  t: TestContext,
  setting: Setting,
  metadata: Readonly<Record<string, string>> = {},
) {
  const [reviews, web] = await Promise.all([enrol(setting, "reviews"), enrol(setting, "web")]);
  const reviewsAgent = agentOf(t, setting, "reviews", reviews);
  const webAgent = agentOf(t, setting, "web", web, metadata);
  await until(async () => (await setting.api.status()).workloads.length === 2);
  for (const { client } of [reviewsAgent, webAgent]) client.report(typeUrl.health);
  const webSidecar = sidecarOf(t, setting, "web", web);
  await until(() => endpointsOf(webSidecar) === 1 && clustersOfRoute(webSidecar).length === 1);
  await until(async () => (await setting.api.status()).proxies.every((proxy) => proxy.state === "synced"));
  return { reviews, web, reviewsAgent, webAgent, webSidecar };
}

function endpointsOf(sidecar: TestClient): number {
  const assignment = sidecar.get(typeUrl.endpoint, reviewsCluster, ClusterLoadAssignmentSchema);
  return (assignment?.endpoints ?? []).reduce((sum, locality) => sum + locality.lbEndpoints.length, 0);
}

const destinationRule = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: reviews
spec:
  host: reviews
  subsets:
    - name: v1
      labels: {version: v1}
    - name: v2
      labels: {version: v2}
`;
const virtualService = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
spec:
  hosts: [reviews]
  http:
    - route:
        - destination: {host: reviews, subset: v2}
`;

function clustersOfRoute(sidecar: TestClient): readonly string[] {
  const routes = sidecar.get(typeUrl.route, "9080", RouteConfigurationSchema);
  const host = routes?.virtualHosts.find((candidate) => candidate.name.includes("reviews"));
  return (host?.routes ?? []).map((route) => {
    const { action } = route;
    return action.case === "route" ? String(action.value.clusterSpecifier.value) : "";
  });
}

test("a workload registers, is found by others, and a change reaches them and is acknowledged", async (t) => {
  const setting = await setUp(t);
  const { webAgent, webSidecar } = await runningMesh(t, setting);
  const names = webAgent.get(typeUrl.nameTable, "istio.networking.nds.v1.NameTable", NameTableSchema);
  assert.match(names!.table["reviews.default.svc.cluster.local"]!.ips[0]!, /^240\.240\./);
  assert.deepEqual(clustersOfRoute(webSidecar), [reviewsCluster]);

  const { revision } = await setting.api.apply({
    files: [{ name: "reviews.yaml", text: `${destinationRule}---\n${virtualService}` }],
  });
  const sync = await setting.api.sync(revision, 5_000);
  assert.equal(sync.isSynced, true, JSON.stringify(sync.waiting));
  assert.deepEqual(clustersOfRoute(webSidecar), ["outbound|9080|v2|reviews.default.svc.cluster.local"]);

  const status = await setting.api.status();
  const proxy = status.proxies.find((candidate) => candidate.role === "sidecar")!;
  assert.equal(proxy.state, "synced");
  assert.equal(proxy.ackedRevision, revision);
  assert.equal(proxy.identity, "spiffe://cluster.local/ns/default/sa/web");
  assert.equal(proxy.version, "0.1.0");
  assert.deepEqual(proxy.types.map((type) => type.type).sort(), ["CDS", "EDS", "LDS", "RDS"]);
  assert.ok(status.convergence.count > 0);
  const metrics = await (await fetch(`http://127.0.0.1:${setting.plane.httpPort}/metrics`)).text();
  assert.match(metrics, /^pilot_xds\{version="test"\} 3$/m);
  assert.match(metrics, /^pilot_virt_services 1$/m);
  assert.match(metrics, /^pilot_proxy_convergence_time_count [1-9]/m);
  assert.match(metrics, /^pilot_xds_pushes\{type="cds"\} [1-9]/m);
  assert.match(metrics, /^weft_proxies\{state="synced"\} 1$/m);
  assert.match(metrics, /^weft_proxies\{state="nacked"\} 0$/m);
  assert.match(metrics, /^process_open_fds [1-9]/m);
  const asked = await fetch(`http://127.0.0.1:${setting.plane.httpPort}/prometheus/targets`);
  assert.equal(asked.headers.get("content-type"), "application/json");
  const groups = (await asked.json()) as { targets: string[]; labels: Record<string, string> }[];
  assert.deepEqual(groups[0]!.targets, [`127.0.0.1:${setting.plane.httpPort}`]);
  assert.deepEqual(
    groups
      .slice(1)
      .map(({ labels }) => labels.app)
      .sort(),
    ["reviews", "web"],
  );
});

const grpcJs = findPeer("weft-grpc-node");

test("any gRPC tool of this machine sees what every client is given (CSDS), and Istio's pages are there", {
  skip: grpcJs ? false : "no weft-grpc-node found",
}, async (t) => {
  const setting = await setUp(t);
  const { webSidecar } = await runningMesh(t, setting);
  assert.equal(statSync(setting.plane.operatorSocket).mode & 0o777, 0o600);
  const { Client, credentials } = createRequire(`${grpcJs}-files/`)("@grpc/grpc-js") as GrpcJs;
  const client = new Client(`unix:${setting.plane.operatorSocket}`, credentials.createInsecure());
  t.after(() => client.close());
  const { method } = ClientStatusDiscoveryService;
  const call = client.makeBidiStreamRequest(
    methodPath(method.streamClientStatus),
    (request) => Buffer.from(toBinary(ClientStatusRequestSchema, create(ClientStatusRequestSchema, request))),
    (bytes) => fromBinary(ClientStatusResponseSchema, bytes),
  );
  const nodeId = nodeOf("sidecar", "web").id;
  const nodeMatchers = [{ nodeId: { matchPattern: { case: "exact", value: nodeId } } }] as const;
  call.write({ nodeMatchers: [...nodeMatchers] });
  const [{ config }] = (await once(call, "data")) as [ClientStatusResponse];
  assert.deepEqual(
    config.map(({ node }) => node?.id),
    [nodeId],
  );
  const given = config[0]!.genericXdsConfigs;
  const endpoints = given.filter((one) => one.typeUrl === typeUrl.endpoint);
  assert.deepEqual(
    endpoints.map(({ name, configStatus }) => [name, configStatus]),
    [[reviewsCluster, ConfigStatus.SYNCED]],
  );
  assert.deepEqual(
    Buffer.from(endpoints[0]!.xdsConfig!.value),
    Buffer.from(webSidecar.held.get(typeUrl.endpoint)!.get(reviewsCluster)!),
  );
  call.end();
  await once(call, "end");

  const pages = Object.fromEntries(
    await Promise.all(
      ["syncz", "configz", "endpointz", "registryz"].map(async (page) => [
        page,
        await readPage(setting.plane.socketPath, `/debug/${page}`),
      ]),
    ),
  );
  const row = pages.syncz.find(({ proxy }: { proxy: string }) => proxy === "web-v1-1.default");
  assert.equal(row.endpoint_acked, row.endpoint_sent);
  assert.notEqual(row.endpoint_sent, "");
  assert.deepEqual(pages.configz, []);
  const port = pages.endpointz.find(({ svc }: { svc: string }) => svc.startsWith("reviews.default."));
  assert.deepEqual([port.ep[0].Addresses, port.ep[0].TLSMode], [["10.9.0.1"], "istio"]);
  assert.ok(
    pages.registryz.some(({ hostname }: { hostname: string }) => hostname.startsWith("web.default.")),
  );
  assert.match((await readPage(setting.plane.socketPath, "/debug/x")).error, /there is no \/debug\/x/);
});

interface GrpcJs {
  readonly credentials: { createInsecure(): unknown };
  readonly Client: new (
    target: string,
    how: unknown,
  ) => {
    close(): void;
    makeBidiStreamRequest(
      path: string,
      encode: (request: MessageInitShape<typeof ClientStatusRequestSchema>) => Buffer,
      decode: (bytes: Buffer) => ClientStatusResponse,
    ): EventEmitter & {
      write(request: MessageInitShape<typeof ClientStatusRequestSchema>): void;
      end(): void;
    };
  };
}

// biome-ignore lint/suspicious/noExplicitAny: pages are JSON for people, and each has its own shape
async function readPage(socketPath: string, path: string): Promise<any> {
  const chunks: Buffer[] = [];
  const [response] = (await once(get({ socketPath, path, agent: false }), "response")) as [IncomingMessage];
  for await (const chunk of response) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString());
}

test("a workload's certificates and bootstrap are shown, and never a key", async (t) => {
  const setting = await setUp(t);
  const { web } = await runningMesh(t, setting, { BOOTSTRAP: '{"node":{"id":"x"}}' });
  const { resources } = await setting.api.proxyConfig("web-v1", "secrets");
  const { serialNumber, validTo } = new X509Certificate(web.chain);
  assert.deepEqual(
    resources.map(({ name, value }) => [name, value.type, value.not_after]),
    [
      ["default", "Cert Chain", new Date(validTo).toISOString()],
      ["ROOTCA", "CA", new Date((await setting.api.caStatus()).rootNotAfterMs).toISOString()],
    ],
  );
  assert.equal(String(resources[0]!.value.serial).toLowerCase(), serialNumber.toLowerCase());
  assert.doesNotMatch(JSON.stringify(resources), /PRIVATE/);
  const bootstrap = await setting.api.proxyConfig("web-v1", "bootstrap");
  assert.deepEqual(bootstrap.resources[0]!.value, { node: { id: "x" } });
});

test("a bootstrap that nobody has told of, or that is none, is said to be missing", async (t) => {
  const setting = await setUp(t);
  await runningMesh(t, setting, { BOOTSTRAP: "[]" });
  await assert.rejects(
    setting.api.proxyConfig("web-v1", "bootstrap"),
    /nobody has said what .* started with/,
  );
});

test("an apply with an error is refused with its place, and nothing has changed", async (t) => {
  const setting = await setUp(t);
  const { webSidecar } = await runningMesh(t, setting);
  const before = await setting.api.apply({ files: [{ name: "dr.yaml", text: destinationRule }] });
  const cases: readonly (readonly [string, string, number])[] = [
    ["a route to a subset that is not there", virtualService.replace("v2", "v9"), 9],
    ["an unknown field", virtualService.replace("http:", "htpp:"), 7],
    ["an unknown kind", virtualService.replace("kind: VirtualService", "kind: VirtualServce"), 2],
    ["text that is no YAML", virtualService.replace("hosts: [reviews]", "hosts: [reviews"), 7],
  ];
  for (const [name, text, line] of cases) {
    const good = destinationRule
      .replace("name: reviews", "name: other")
      .replace("host: reviews", "host: other");
    const files = [
      { name: "good.yaml", text: good },
      { name: "bad.yaml", text },
    ];
    await assert.rejects(setting.api.apply({ files }), (error) => {
      assert.ok(error instanceof ApiError, name);
      const found = error.diagnostics.filter((diagnostic) => diagnostic.severity === "error");
      assert.equal(found[0]?.origin?.file, "bad.yaml", name);
      assert.equal(found[0]?.origin?.line, line, `${name}: ${found[0]?.message}`);
      return true;
    });
  }
  assert.equal((await setting.api.status()).revision, before.revision);
  assert.equal(
    (await setting.api.listResources()).resources.length,
    1,
    "the good file beside it is not applied either",
  );
  assert.deepEqual(clustersOfRoute(webSidecar), [reviewsCluster]);
});

test("a conflict with what is applied is told at the place that is applied now, and names the other", async (t) => {
  const { api } = await setUp(t);
  const files = [{ name: "first.yaml", text: `${destinationRule}---\n${virtualService}` }];
  const { revision } = await api.apply({ files });
  for (const name of ["a-before", "z-after"]) {
    const text = virtualService.replace("name: reviews", `name: ${name}`);
    await assert.rejects(api.apply({ files: [{ name: "second.yaml", text }] }), (error) => {
      assert.ok(error instanceof ApiError);
      const found = error.diagnostics.filter(({ severity }) => severity === "error");
      assert.deepEqual(
        found.map(({ code, origin, other }) => [code, origin?.file, other?.file]),
        [["IST0109", "second.yaml", "first.yaml"]],
        name,
      );
      return true;
    });
  }
  await assert.rejects(
    api.apply({ files: [{ name: "empty.yaml", text: "# later\n" }] }),
    /^UserError: empty\.yaml: nothing to apply/,
  );
  assert.equal((await api.status()).revision, revision);
});

test("a dry run says what would change and changes nothing", async (t) => {
  const { api } = await setUp(t);
  const files = [{ name: "dr.yaml", text: destinationRule }];
  const dry = await api.apply({ files, dryRun: true });
  assert.deepEqual(
    dry.resources.map((resource) => resource.action),
    ["created"],
  );
  assert.equal((await api.listResources()).resources.length, 0);
  await api.apply({ files });
  const again = await api.apply({ files });
  assert.equal(again.resources[0]!.action, "unchanged");
  assert.equal(again.revision, 1);
});

test("get shows what was written, delete takes it away, and both are in the history", async (t) => {
  const { api } = await setUp(t);
  const key = { kind: "DestinationRule", namespace: "default", name: "reviews" };
  const text = `# ours\n${destinationRule}`;
  await api.apply({ files: [{ name: "dr.yaml", text: `\n\n${text}` }] });
  const record = await api.getResource(key);
  assert.equal(record.text, text);
  assert.equal(record.origin, "dr.yaml:3");
  assert.equal((await api.deleteResource(key)).revision, 2);
  await assert.rejects(api.getResource(key), /there is no DestinationRule default\/reviews/);
  await assert.rejects(api.deleteResource(key), /there is no DestinationRule default\/reviews/);
  assert.deepEqual(
    (await api.revisions()).map(({ revision, changes }) => [revision, changes[0]!.action]),
    [
      [2, "deleted"],
      [1, "created"],
    ],
  );
});

test("endpoints follow health, and leave with their agent after a short grace", async (t) => {
  const setting = await setUp(t);
  const { reviewsAgent, webSidecar } = await runningMesh(t, setting);
  reviewsAgent.client.report(typeUrl.health, { error: "connection refused" });
  await until(() => endpointsOf(webSidecar) === 0);
  reviewsAgent.client.report(typeUrl.health);
  await until(() => endpointsOf(webSidecar) === 1);
  reviewsAgent.client.close();
  await until(async () => (await setting.api.status()).workloads.some((workload) => !workload.isConnected));
  assert.equal(endpointsOf(webSidecar), 1, "a reconnect would not be noticed by anyone");
  await until(() => endpointsOf(webSidecar) === 0);
});

test("a proxy that refuses is shown with its words, and a wait for it names it", async (t) => {
  const setting = await setUp(t);
  const { webSidecar } = await runningMesh(t, setting);
  webSidecar.refuse = { type: typeUrl.route, text: "this route is not for me" };
  const { revision } = await setting.api.apply({
    files: [{ name: "reviews.yaml", text: `${destinationRule}---\n${virtualService}` }],
  });
  const sync = await setting.api.sync(revision, 300);
  assert.equal(sync.isSynced, false);
  assert.deepEqual(
    sync.waiting.map(({ state, error }) => [state, error]),
    [["nacked", "this route is not for me"]],
  );
  const { events } = await setting.api.events();
  assert.ok(
    events.some((event) => event.kind === "nack" && event.message.includes("this route is not for me")),
  );
  webSidecar.refuse = undefined;
  const next = await setting.api.apply({
    files: [{ name: "reviews.yaml", text: `${destinationRule}---\n${virtualService.replace("v2", "v1")}` }],
  });
  assert.equal((await setting.api.sync(next.revision, 5_000)).isSynced, true);
});

test("nobody gets a snapshot, or a registration, that is not its identity's", async (t) => {
  const setting = await setUp(t);
  await runningMesh(t, setting);
  const mallory = await enrol(setting, "mallory");
  const cases = [
    ["another workload's sidecar", nodeOf("sidecar", "reviews")],
    ["another identity's agent", nodeOf("agent", "ratings")],
    [
      "another namespace",
      { ...nodeOf("sidecar", "web"), id: "sidecar~10.9.0.9~web-1.payments~payments.svc.cluster.local" },
    ],
    ["no node id of the mesh", { ...nodeOf("sidecar", "web"), id: "whatever" }],
  ] as const;
  for (const [name, node] of cases) {
    const client = new TestClient(t, setting, node, mallory);
    client.client.subscribe(typeUrl.cluster, "*");
    await until(() => client.lastError !== undefined);
    assert.match(client.lastError!, /belong|certificate is for|node id/, name);
    assert.equal(client.held.size, 0, name);
    client.client.close();
  }
  assert.equal((await setting.api.status()).workloads.length, 2);
});

test("a revoked workload loses its connections, and gets nothing by new ones", async (t) => {
  const setting = await setUp(t);
  const stolen = await enrol(setting, "web");
  const { client } = agentOf(t, setting, "web", stolen);
  await until(async () => (await setting.api.status()).workloads.some(({ isConnected }) => isConnected));
  const renew = async (identity: Identity) => {
    const channel = new GrpcChannel({
      clock: systemClock,
      target: targetOf(setting.plane, identity.root, identity),
    });
    try {
      const csr = createCsr(
        await generateKeyPair(),
        parseSpiffeId("spiffe://cluster.local/ns/default/sa/web"),
      );
      await channel.unary(IstioCertificateService.method.createCertificate, { csr });
    } finally {
      channel.close();
    }
  };
  await renew(stolen);
  const { value, kind } = await setting.api.revoke({ identity: "spiffe://cluster.local/ns/default/sa/web" });
  assert.deepEqual([kind, value], ["identity", "spiffe://cluster.local/ns/default/sa/web"]);
  await until(() => client.state.t === "waiting" && /was revoked/.test(client.state.error.message));
  await assert.rejects(renew(stolen), /not accepted: what .*\/web had until .* was revoked/);
  const again = await enrol(setting, "web");
  await renew(again);
  const entries = await setting.api.auditLog();
  assert.ok(entries.some(({ event, subject }) => event === "identity revoked" && subject === value));
  assert.deepEqual((await setting.api.caStatus()).revocations[0]?.value, value);
});

test("metrics of a workload are its own and make its golden signals", async (t) => {
  const setting = await setUp(t);
  const { reviews, web } = await runningMesh(t, setting);
  const exported = (value: number, instance = "reviews-v1-1") => ({
    resourceMetrics: [
      {
        resource: { attributes: [text("service.instance.id", instance)] },
        instrumentationLibraryMetrics: [
          {
            metrics: [
              {
                name: "istio_requests_total",
                data: {
                  case: "sum" as const,
                  value: {
                    aggregationTemporality: 2,
                    dataPoints: [
                      {
                        attributes: [text("reporter", "destination"), text("response_code", "200")],
                        value: { case: "asDouble" as const, value },
                      },
                    ],
                  },
                },
              },
            ],
          },
        ],
      },
    ],
  });
  const channelOf = (identity: Identity) => {
    const target = targetOf(setting.plane, identity.root, identity);
    const channel = new GrpcChannel({ clock: systemClock, target });
    t.after(() => channel.close());
    return channel;
  };
  const own = channelOf(reviews);
  await own.unary(MetricsService.method.export, exported(0));
  await own.unary(MetricsService.method.export, exported(100));
  await assert.rejects(channelOf(web).unary(MetricsService.method.export, exported(9)), /another identity/);
  await assert.rejects(own.unary(MetricsService.method.export, exported(9, "nobody")), /names no workload/);
  const { rows } = await setting.api.stats({ by: "service" });
  const row = rows.find((candidate) => candidate.service === "reviews")!;
  assert.ok(row.requestsPerSecond! > 0);
  assert.equal(row.successRate, 1);
});

test("a watched directory is applied; a bad file in it is reported and its last good version stays", async (t) => {
  const configDir = mkdtempSync(join(tmpdir(), "weft-mesh-"));
  t.after(() => rmSync(configDir, { recursive: true }));
  const file = join(configDir, "dr.yaml");
  writeFileSync(file, destinationRule);
  const { api } = await setUp(t, { configDir });
  const [record] = (await api.listResources()).resources;
  assert.equal(record!.source, "directory");
  await assert.rejects(api.deleteResource(record!), /comes from the control plane's own directory/);
  await assert.rejects(api.apply({ files: [{ name: "mine.yaml", text: destinationRule }] }), (error) => {
    assert.match((error as ApiError).diagnostics[0]!.hint!, /dr\.yaml:1/);
    return true;
  });
  writeFileSync(file, destinationRule.replace("subsets:", "subset:"));
  await until(async () => (await api.status()).diagnostics.some((d) => d.severity === "error"));
  assert.equal((await api.listResources()).resources.length, 1);
  rmSync(file);
  await until(async () => (await api.listResources()).resources.length === 0);
});

test("what a person can put right is said as such, and leaves nothing behind", async (t) => {
  const { stateDir, plane } = await setUp(t);
  const other = mkdtempSync(join(tmpdir(), "weft-control-"));
  t.after(() => rmSync(other, { recursive: true }));
  const cases: readonly (readonly [string, Partial<ControlPlaneOptions>, RegExp, RegExp?])[] = [
    [
      "a port in use",
      { port: plane.port },
      /cannot listen on 127\.0\.0\.1:\d+: the address is in use/,
      /--port$/,
    ],
    [
      "an HTTP port in use",
      { httpPort: plane.httpPort },
      /cannot listen on 127\.0\.0\.1:\d+: the address is in use/,
      /--http-port$/,
    ],
    [
      "a plain port in use",
      { plain: { address: "127.0.0.1", port: plane.port } },
      /cannot listen on 127\.0\.0\.1:\d+: the address is in use/,
      /--plain-port$/,
    ],
    [
      "a state directory where the kernel makes none",
      { stateDir: "/proc/weft" },
      /state directory \/proc\/weft cannot be used: does not exist/,
    ],
    ["an address of another machine", { address: "192.0.2.1" }, /cannot listen on 192\.0\.2\.1/, /--address/],
    ["a state directory in use", { stateDir }, /another control plane/],
    [
      "a state directory that cannot be",
      { stateDir: "/dev/null/weft" },
      /state directory \/dev\/null\/weft cannot be used/,
    ],
    ["a trust domain that is none", { trustDomain: "Not A Domain" }, /--trust-domain/],
    ["a configuration directory that is not there", { configDir: "/nonexistent" }, /--config \/nonexistent/],
    ["certificates of a second", { certificateTtlMs: 1_000 }, /--certificate-ttl/],
  ];
  for (const [name, changes, message, hint = /./] of cases) {
    await assert.rejects(startControlPlane(optionsOf(other, changes)), (error) => {
      assert.ok(error instanceof UserError, `${name}: ${error}`);
      assert.match(error.message, message, name);
      assert.match(error.hint ?? "", hint, `${name} has a next step`);
      return true;
    });
  }
  const again = await startControlPlane(optionsOf(other));
  await again.close();
  await assert.rejects(
    startControlPlane(optionsOf(other, { trustDomain: "example.org" })),
    /belongs to trust domain cluster\.local/,
  );
});

test("kill -9 loses nothing: same root, same resources, same addresses, and no endpoint leaves on account of it", async (t) => {
  const stateDir = mkdtempSync(join(tmpdir(), "weft-control-"));
  t.after(() => rmSync(stateDir, { recursive: true, force: true }));
  const first = await startChild(t, stateDir, 0);
  const { webSidecar, webAgent, reviewsAgent, web } = await runningMesh(t, first);
  await first.api.apply({ files: [{ name: "r.yaml", text: `${destinationRule}---\n${virtualService}` }] });
  await until(() => existsSync(join(stateDir, "workloads.json")));
  await until(() => readFileSync(join(stateDir, "workloads.json"), "utf8").includes("reviews-v1-1"));
  const before = await whatStays(first, webAgent);
  reviewsAgent.client.close();
  first.child.kill("SIGKILL");
  await once(first.child, "exit");

  const second = await startChild(t, stateDir, first.plane.port);
  await until(async () => (await second.api.status()).proxies.some((proxy) => proxy.role === "sidecar"));
  const fresh = sidecarOf(t, second, "web", web);
  await until(() => endpointsOf(fresh) === 1);
  assert.equal(endpointsOf(webSidecar), 1, "the agent that is still away keeps its endpoint for now");
  assert.deepEqual(await whatStays(second, webAgent), before);
  await assert.rejects(
    startControlPlane(optionsOf(stateDir)),
    /another control plane/,
    "and nobody else runs on it",
  );
});

/** A control plane in a process of its own. */
async function startChild(
  t: TestContext,
  stateDir: string,
  port: number,
): Promise<Setting & { readonly child: ChildProcess }> {
  const options = { ...optionsOf(stateDir, { port }), log: undefined };
  const module = JSON.stringify(new URL("./control-plane.ts", import.meta.url).href);
  const script = `const { startControlPlane } = await import(${module});
    const log = { info() {}, warn() {}, error() {} };
    const { close, ...ports } = await startControlPlane({ ...${JSON.stringify(options)}, log });
    console.log(JSON.stringify(ports));`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  const [line] = await once(child.stdout!, "data");
  const plane: ControlPlane = JSON.parse(String(line));
  return { child, plane, api: new CheckedApiClient({ socketPath: plane.socketPath }) };
}

async function whatStays({ api }: Setting, agent: TestClient) {
  const names = agent.get(typeUrl.nameTable, "istio.networking.nds.v1.NameTable", NameTableSchema);
  return {
    root: (await api.caStatus()).rootPem,
    resources: (await api.listResources()).resources,
    revisions: await api.revisions(),
    tokens: (await api.listTokens()).tokens,
    reviews: names?.table["reviews.default.svc.cluster.local"]?.ips,
  };
}

function text(key: string, value: string) {
  return { key, value: { value: { case: "stringValue" as const, value } } };
}

/** Looks again and again until it is so; far beyond what it ever takes, it gives up. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 15_000;
  while (!(await isSo())) {
    if (performance.now() > deadlineMs) assert.fail(`it never came true: ${isSo}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
