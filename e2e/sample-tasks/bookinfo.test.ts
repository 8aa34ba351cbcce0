/**
 * Bookinfo's routes as they are published, by Istio's API and by the Gateway
 * API, each applied to a running mesh and called through either data plane.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertShares, dataPlanes, fetched, SampleMesh, tally } from "./sample-mesh.ts";

const folder = "istio-bookinfo";
const ports = { "reviews:9080": 20000, "ratings:9080": 20001, "details:9080": 20002 };
const jason = { "end-user": "jason" };
const versions = ["v1", "v2", "v3"] as const;

type Shares = Readonly<Record<string, number>>;

describe("bookinfo", () => {
  let samples: SampleMesh;

  before(async () => {
    samples = await SampleMesh.start();
    const envoy = dataPlanes.at(-1)!;
    const serve = { ports: ["9080:http"] };
    await samples.run("ratings", "v1", { ...serve, plane: "weft" });
    for (const version of versions) {
      const plane = version === "v2" ? envoy : "weft";
      await samples.run("reviews", version, {
        ...serve,
        plane,
        ...(version === "v2" ? { calls: "ratings:9080" } : {}),
      });
    }
    for (const plane of dataPlanes) await samples.runCaller(plane, ports);
    await samples.apply(`${folder}/platform-bookinfo.yaml`, `${folder}/platform-bookinfo-versions.yaml`);
    for (const plane of dataPlanes) {
      await samples.mesh.until(`${plane} reaches every version`, async () => {
        const answers = await ask(plane, 30);
        return versions.every((version) => (answers[version] ?? 0) > 0) && Object.keys(answers).length === 3;
      });
    }
  });
  after(() => samples?.close());

  function ask(
    plane: string,
    count: number,
    headers: Readonly<Record<string, string>> = {},
    service: keyof typeof ports = "reviews:9080",
  ): Promise<Record<string, number>> {
    const url = `http://${samples.addressOf(`curl-${plane}`)}:${ports[service]}/reviews/0`;
    return tally(count, () => fetched(url, headers));
  }

  const byGatewayApi: readonly (readonly [file: string, shares: Shares])[] = [
    ["route-all-v1.yaml", { v1: 1 }],
    ["route-reviews-90-10.yaml", { v1: 0.9, v2: 0.1 }],
    ["route-reviews-50-v3.yaml", { v1: 0.5, v3: 0.5 }],
    ["route-reviews-v3.yaml", { v3: 1 }],
    ["route-reviews-v1.yaml", { v1: 1 }],
  ];
  for (const [file, shares] of byGatewayApi) {
    test(`gateway-api/${file}`, async () => {
      await samples.apply(`${folder}/gateway-api/${file}`);
      for (const plane of dataPlanes) assertShares(await ask(plane, 200), shares, plane);
      if (file === byGatewayApi.at(-1)![0]) await samples.remove(`${folder}/gateway-api/route-all-v1.yaml`);
    });
  }

  const byIstio: readonly (readonly [file: string, shares: Shares, ofJason: Shares])[] = [
    ["virtual-service-all-v1.yaml", { v1: 1 }, { v1: 1 }],
    ["virtual-service-reviews-test-v2.yaml", { v1: 1 }, { v2: 1 }],
    ["virtual-service-reviews-90-10.yaml", { v1: 0.9, v2: 0.1 }, { v1: 0.9, v2: 0.1 }],
    ["virtual-service-reviews-80-20.yaml", { v1: 0.8, v2: 0.2 }, { v1: 0.8, v2: 0.2 }],
    ["virtual-service-reviews-50-v3.yaml", { v1: 0.5, v3: 0.5 }, { v1: 0.5, v3: 0.5 }],
    ["virtual-service-reviews-v2-v3.yaml", { v2: 0.5, v3: 0.5 }, { v2: 0.5, v3: 0.5 }],
    ["virtual-service-reviews-jason-v2-v3.yaml", { v3: 1 }, { v2: 1 }],
    ["virtual-service-reviews-v3.yaml", { v3: 1 }, { v3: 1 }],
  ];
  for (const [i, [file, shares, ofJason]] of byIstio.entries()) {
    test(file, async () => {
      const rules = i === 0 ? [`${folder}/destination-rule-all.yaml`] : [];
      await samples.apply(...rules, `${folder}/${file}`);
      for (const plane of dataPlanes) {
        assertShares(await ask(plane, 150), shares, plane);
        assertShares(await ask(plane, 50, jason), ofJason, `${plane}, jason`);
      }
    });
  }

  test("virtual-service-ratings-test-abort.yaml: jason gets no stars", async () => {
    await samples.apply(`${folder}/virtual-service-ratings-test-abort.yaml`);
    for (const plane of dataPlanes) {
      assert.deepEqual(await ask(plane, 5, jason, "ratings:9080"), { 500: 5 });
      assert.deepEqual(await ask(plane, 5, {}, "ratings:9080"), { v1: 5 });
    }
  });

  test("fault-injection-details-v1.yaml: details fail for everybody", async () => {
    await samples.apply(`${folder}/fault-injection-details-v1.yaml`);
    for (const plane of dataPlanes) {
      assert.deepEqual(await ask(plane, 5, {}, "details:9080"), { 555: 5 });
    }
  });

  test("Request Timeouts: half a second for reviews that wait for ratings", async () => {
    const slow = (host: string, subset: string, more: string) =>
      `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: ${host} }\nspec:\n` +
      `  hosts: [${host}]\n  http:\n    - route: [{ destination: { host: ${host}, subset: ${subset} } }]\n      ${more}\n---\n`;
    const late = slow("ratings", "v1", "fault: { delay: { percentage: { value: 100 }, fixedDelay: 2s } }");
    await samples.applyText(late + slow("reviews", "v2", "timeout: 0.5s"));
    const answers = await Promise.all(dataPlanes.map((plane) => ask(plane, 2)));
    for (const answer of answers) assert.deepEqual(answer, { 504: 2 });
  });
});
