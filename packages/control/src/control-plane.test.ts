import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { systemClock } from "@weft/base/clock";
import { UserError } from "@weft/base/errors";
import { createCsr } from "@weft/identity/csr";
import { generateKeyPair } from "@weft/identity/key-pair";
import { parseSpiffeId } from "@weft/identity/spiffe-id";
import { NameTableSchema } from "@weft/xds/gen/istio/networking/nds/v1/nds_pb";
import { IstioCertificateService } from "@weft/xds/gen/istio/v1/auth/ca_pb";
import { GrpcChannel } from "@weft/xds/grpc/grpc-channel";
import { typeUrl } from "@weft/xds/type-url";
import { CheckedApiClient } from "./api/test-checked-client.ts";
import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from "./control-plane.ts";
import { enrol, type Identity, targetOf } from "./test-enrol.ts";
import {
  agentOf,
  clustersOfRoute,
  destinationRule,
  endpointsOf,
  nodeOf,
  optionsOf,
  reviewsCluster,
  runningMesh,
  type Setting,
  setUp,
  sidecarOf,
  TestClient,
  until,
  virtualService,
} from "./test-running-mesh.ts";

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
