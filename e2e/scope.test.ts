import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { LocalMesh } from "./local-mesh.ts";

const mesh = await LocalMesh.start();
after(() => mesh.close());

/** Not ready by its probe until it is told to be; says who calls. */
const application = `
let isReady = false;
require("node:http").createServer((request, response) => {
  if (request.url === "/become-ready") isReady = true;
  response.statusCode = request.url === "/ready" && !isReady ? 503 : 200;
  response.end("here");
}).listen(8080, process.argv[1]);`;

const yaml = `apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: { name: vm }
spec:
  metadata: { labels: { tier: vm } }
  template: { serviceAccount: vm, weight: 7 }
  probe: { periodSeconds: 1, failureThreshold: 1, httpGet: { port: 8080, path: /ready } }
---
apiVersion: v1
kind: Service
metadata: { name: by-group }
spec: { selector: { tier: vm }, ports: [{ port: 80, name: http, targetPort: 8080 }] }
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: client }
spec:
  workloadSelector: { labels: { app: client } }
  egress: [{ hosts: ["./by-group.default.svc.cluster.local"] }]
`;

async function applied(): Promise<void> {
  const file = join(mesh.state, "mesh.yaml");
  writeFileSync(file, yaml);
  const { code, stderr } = await mesh.weft("apply", "-f", file);
  assert.equal(code, 0, stderr);
}

interface Workload {
  readonly workloadName: string;
  readonly isHealthy: boolean;
  readonly group?: string;
}

async function workload(name: string): Promise<Workload | undefined> {
  const { stdout } = await mesh.weft("status", "-o", "json");
  const { workloads } = JSON.parse(stdout) as { readonly workloads: readonly Workload[] };
  return workloads.find((one) => one.workloadName === name);
}

test("a WorkloadGroup's member serves once its probe passes, and a Sidecar's workload is given what it may call", async () => {
  await applied();
  const [vm, client] = [mesh.addressOf(1), mesh.addressOf(2)];
  const own = ["--port", "8080:http", "--inbound-port", "8080=18080", "--workload-group", "vm"];
  await mesh.run("vm", 1, own, [process.execPath, "-e", application, vm]);
  const upstream = ["--upstream", `by-group:80=${client}:20000`];
  await mesh.run("client", 2, upstream, [process.execPath, "-e", "setInterval(() => {}, 1000)"]);
  const call = (port: number, host: string, path = "/") =>
    fetch(`http://${host}:${port}${path}`).then(
      (answer) => answer.status,
      () => 0,
    );
  await mesh.until("the client has its upstream", async () => (await call(20_000, client)) === 503);
  await mesh.until("the application answers", async () => (await call(8_080, vm, "/ready")) === 503);
  const waiting = await workload("vm");
  assert.deepEqual([waiting?.group, waiting?.isHealthy], ["vm", false], "it listens, and is not ready");
  for (let i = 0; i < 3; i++) assert.equal(await call(20_000, client), 503, "nobody calls it before it is");

  await call(8_080, vm, "/become-ready");
  await mesh.until("the probe passes", async () => (await workload("vm"))?.isHealthy === true);
  await mesh.until("calls arrive", async () => (await call(20_000, client)) === 200);

  const given = async (kind: string, name: string) => {
    const { stdout } = await mesh.weft("proxy-config", kind, name, "-o", "json");
    const { resources } = JSON.parse(stdout) as { readonly resources: readonly { readonly name: string }[] };
    return resources.map((resource) => resource.name).filter((cluster) => cluster.startsWith("outbound"));
  };
  const inScope = ["outbound|80||by-group.default.svc.cluster.local"];
  assert.deepEqual(await given("clusters", "client"), inScope);
  assert.deepEqual(await given("endpoints", "client"), inScope);
  assert.deepEqual(await given("clusters", "vm"), [], "who has no Sidecar is given what it has used");
});
