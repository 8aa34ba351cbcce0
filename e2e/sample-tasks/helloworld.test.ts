/** Istio's helloworld sample, by its own API and by the Gateway API, through either data plane. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertShares, dataPlanes, fetched, SampleMesh, tally } from "./sample-mesh.ts";

const folder = "istio-samples/helloworld";

describe("helloworld", () => {
  let samples: SampleMesh;

  before(async () => {
    samples = await SampleMesh.start();
    for (const [version, plane] of [
      ["v1", dataPlanes.at(-1)!],
      ["v2", "weft"],
    ] as const) {
      await samples.run("helloworld", version, { plane, ports: ["5000:http"] });
    }
    for (const plane of dataPlanes) {
      await samples.runGateway("ingress", plane, "istio=ingressgateway");
      const name = "gateway.networking.k8s.io/gateway-name=helloworld-gateway";
      await samples.runGateway("helloworld", plane, name);
    }
    await samples.apply(`${folder}/helloworld.yaml`);
  });
  after(() => samples?.close());

  const hello = (gateway: string, path = "/hello") =>
    fetched(`http://${samples.addressOf(gateway)}:18080${path}`).then(
      (answer) => /^Hello version: (v\d), instance: helloworld-\1\n$/.exec(answer)?.[1] ?? answer,
    );

  async function untilBothAnswer(gateway: string): Promise<void> {
    await samples.mesh.until(`${gateway} reaches both versions`, async () => {
      const { v1 = 0, v2 = 0 } = await tally(20, () => hello(gateway));
      return v1 + v2 === 20 && v1 > 0 && v2 > 0;
    });
    assert.equal(await hello(gateway, "/other"), "404", "only what the sample names");
  }

  test("helloworld-gateway.yaml: both versions by Istio's gateway", async () => {
    await samples.apply(`${folder}/helloworld-gateway.yaml`);
    for (const plane of dataPlanes) await untilBothAnswer(`ingress-${plane}`);
    await samples.remove(`${folder}/helloworld-gateway.yaml`);
  });

  test("gateway-api: both versions, then nine in ten to v1", async () => {
    await samples.apply(`${folder}/gateway-api/helloworld-gateway.yaml`);
    for (const plane of dataPlanes) await untilBothAnswer(`helloworld-${plane}`);
    await samples.apply(`${folder}/gateway-api/helloworld-versions.yaml`);
    await samples.apply(`${folder}/gateway-api/helloworld-route.yaml`);
    for (const plane of dataPlanes) {
      const answers = await tally(300, () => hello(`helloworld-${plane}`));
      assertShares(answers, { v1: 0.9, v2: 0.1 }, plane);
    }
  });
});
