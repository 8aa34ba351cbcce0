/** Istio's task "TCP Traffic Shifting", by its own API and by the Gateway API, through either data plane. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { assertShares, dataPlanes, SampleMesh, tally } from "./sample-mesh.ts";

const ports = ["9000:tcp", "9001:tcp"];
const callerPorts = { "tcp-echo:9000": 20000, "tcp-echo:9001": 20001 };

/** The first word of what comes back for one line. */
function ask(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host, () => socket.write("hello\n"));
    socket.setTimeout(10_000, () => socket.destroy(new Error("no answer")));
    socket.once("data", (chunk) => {
      resolve(String(chunk).replace(/ hello\n$/, ""));
      socket.destroy();
    });
    socket.once("end", () => resolve("closed"));
    socket.once("error", reject);
  });
}

describe("tcp-echo", () => {
  let samples: SampleMesh;

  before(async () => {
    samples = await SampleMesh.start();
    await samples.run("tcp-echo", "v1", { plane: "weft", ports, says: "one" });
    await samples.run("tcp-echo", "v2", { plane: dataPlanes.at(-1)!, ports, says: "two" });
    for (const plane of dataPlanes) {
      await samples.runCaller(plane, callerPorts);
      await samples.runGateway("ingress", plane, "istio=ingressgateway");
      await samples.runGateway("tcp-echo", plane, "gateway.networking.k8s.io/gateway-name=tcp-echo-gateway");
    }
    await samples.apply("istio-samples/tcp-echo/tcp-echo-services.yaml");
  });
  after(() => samples?.close());

  for (const plane of dataPlanes) {
    test(`${plane} reaches both versions inside the mesh, on each port of the service`, async () => {
      const address = samples.addressOf(`curl-${plane}`);
      for (const port of Object.values(callerPorts)) {
        await samples.mesh.until(`both answer ${plane}`, async () => {
          const { one = 0, two = 0 } = await tally(20, () => ask(address, port));
          return one + two === 20 && one > 0 && two > 0;
        });
      }
    });
  }

  for (const [api, folder] of [
    ["ingress", "istio-samples/tcp-echo"],
    ["tcp-echo", "istio-samples/tcp-echo/gateway-api"],
  ] as const) {
    test(`${folder}: all to v1, then a fifth to v2`, async () => {
      await samples.apply(`${folder}/tcp-echo-all-v1.yaml`);
      for (const plane of dataPlanes) {
        const address = samples.addressOf(`${api}-${plane}`);
        await samples.mesh.until(
          `${plane} listens`,
          async () => (await ask(address, 31400).catch(() => "")) === "one",
        );
        assert.deepEqual(await tally(50, () => ask(address, 31400)), { one: 50 });
      }
      await samples.apply(`${folder}/tcp-echo-20-v2.yaml`);
      for (const plane of dataPlanes) {
        const address = samples.addressOf(`${api}-${plane}`);
        assertShares(await tally(300, () => ask(address, 31400)), { one: 0.8, two: 0.2 }, plane);
      }
      await samples.remove(`${folder}/tcp-echo-all-v1.yaml`);
    });
  }
});
