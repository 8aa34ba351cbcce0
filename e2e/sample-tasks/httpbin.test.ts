/**
 * Istio's httpbin sample and the tasks of its documentation that use it: ingress
 * by both APIs, circuit breaking with the sample's client, mirroring.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { dataPlanes, fetched, SampleMesh, tally } from "./sample-mesh.ts";

const folder = "istio-samples/httpbin";

/** The task "Circuit Breaking". */
const circuitBreaker = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: httpbin }
spec:
  host: httpbin
  trafficPolicy:
    connectionPool:
      tcp: { maxConnections: 1 }
      http: { http1MaxPendingRequests: 1, maxRequestsPerConnection: 1 }
    outlierDetection: { consecutive5xxErrors: 1, interval: 1s, baseEjectionTime: 3m, maxEjectionPercent: 100 }
`;
const versions = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: httpbin }
spec:
  host: httpbin
  subsets:
    - { name: v1, labels: { version: v1 } }
    - { name: v2, labels: { version: v2 } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: httpbin }
spec:
  hosts: [httpbin]
  http:
    - route: [{ destination: { host: httpbin, subset: v1 }, weight: 100 }]
`;
/** The task "Mirroring". */
const mirroring = `${versions}
      mirror: { host: httpbin, subset: v2 }
      mirrorPercentage: { value: 100.0 }
`;

describe("httpbin", () => {
  let samples: SampleMesh;

  before(async () => {
    samples = await SampleMesh.start();
    await samples.run("httpbin", "v1", { plane: "weft", ports: ["8080:http"] });
    await samples.run("httpbin", "v2", { plane: dataPlanes.at(-1)!, ports: ["8080:http"] });
    for (const plane of dataPlanes) {
      await samples.runCaller(plane, { "httpbin:8000": 20000 });
      await samples.runGateway("ingress", plane, "istio=ingressgateway");
      await samples.runGateway("httpbin", plane, "gateway.networking.k8s.io/gateway-name=httpbin-gateway");
    }
    await samples.apply(`${folder}/httpbin.yaml`, "istio-samples/curl/curl.yaml");
    for (const plane of dataPlanes) {
      await samples.mesh.until(`${plane} reaches both`, async () => {
        const { v1 = 0, v2 = 0 } = await tally(20, () => version(plane));
        return v1 > 0 && v2 > 0;
      });
    }
  });
  after(() => samples?.close());

  /** From a member of the mesh. */
  const call = (plane: string, path: string) =>
    fetched(`http://${samples.addressOf(`curl-${plane}`)}:20000${path}`);
  const version = async (plane: string) => JSON.parse(await call(plane, "/get")).version as string;

  /** What an application got, asked without the mesh. */
  async function receivedBy(app: string): Promise<readonly { path: string; host: string }[]> {
    return JSON.parse(await fetched(`http://${samples.addressOf(app)}:8080/received`));
  }

  for (const plane of dataPlanes) {
    test(`${plane} calls it by name, and gets its statuses and delays`, async () => {
      assert.equal(await call(plane, "/status/418"), "418");
      assert.equal(JSON.parse(await call(plane, "/delay/0.2")).url, "/delay/0.2");
    });
  }

  for (const [api, file] of [
    ["ingress", "httpbin-gateway.yaml"],
    ["httpbin", "gateway-api/httpbin-gateway.yaml"],
  ] as const) {
    test(`${file}: from outside, by whatever host`, async () => {
      await samples.apply(`${folder}/${file}`);
      for (const plane of dataPlanes) {
        const origin = `http://${samples.addressOf(`${api}-${plane}`)}:18080`;
        const ask = (path: string) => fetched(origin + path, { "x-task": "ingress" });
        await samples.mesh.until(`${plane} serves`, async () =>
          ask("/headers").then(
            (answer) => answer.includes('"x-task":"ingress"'),
            () => false,
          ),
        );
        assert.equal(await ask("/status/418"), "418");
      }
      await samples.remove(`${folder}/${file}`);
    });
  }

  test("Mirroring: v1 answers, and v2 gets a copy of every call", async () => {
    await samples.applyText(versions);
    for (const plane of dataPlanes) {
      assert.deepEqual(await tally(20, () => version(plane)), { v1: 20 });
    }
    const before = (await receivedBy("httpbin-v2")).length;
    await samples.applyText(mirroring);
    for (const plane of dataPlanes) {
      assert.deepEqual(await tally(20, () => version(plane)), { v1: 20 });
    }
    const count = 20 * dataPlanes.length;
    await samples.mesh.until("v2 has every copy", async () => {
      return (await receivedBy("httpbin-v2")).length === before + count;
    });
    const copies = (await receivedBy("httpbin-v2")).slice(before);
    assert.ok(copies.every(({ path, host }) => path === "/get" && host.includes("-shadow")));
    const { code, stderr } = await samples.mesh.weft("delete", "vs", "httpbin", "--wait");
    assert.equal(code, 0, stderr);
  });

  test("Circuit Breaking: calls beyond the limits are answered at once, by the caller's sidecar", async () => {
    await samples.apply(`${folder}/sample-client/fortio-deploy.yaml`);
    await samples.applyText(circuitBreaker);
    for (const plane of dataPlanes) {
      assert.deepEqual(await tally(5, async () => (await call(plane, "/delay/0")) && "served"), {
        served: 5,
      });
      const answers = await Promise.all(
        Array.from({ length: 12 }, async () => {
          const response = await fetch(`http://${samples.addressOf(`curl-${plane}`)}:20000/delay/0.5`);
          await response.arrayBuffer();
          return `${response.status} ${response.headers.get("x-envoy-overloaded") ?? "served"}`;
        }),
      );
      assert.deepEqual([...new Set(answers)].sort(), ["200 served", "503 true"], `${plane}: ${answers}`);
    }
  });
});
