import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, describe, it } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { freePort } from "@weft/testkit/free-port";
import {
  type ProbeSchema,
  WorkloadTemplateSchema,
} from "@weft/xds/gen/weft/workload/v1/workload_template_pb";
import { appProbe, listening } from "./app-probe.ts";
import { planWorkload } from "./workload-plan.ts";

const plan = planWorkload(
  {
    workloadGroup: "g",
    ports: [],
    command: ["x"],
    productVersion: "0",
    capture: "none",
    address: "127.0.0.1",
  },
  { isRoot: false, hasNft: false, hasOwnNetwork: false, address: undefined, runtimeDir: "/tmp" },
);
const asked: string[] = [];
const server = createServer((request, response) => {
  asked.push(`${request.method} ${request.url} ${request.headers.host} ${request.headers["x-probe"]}`);
  response.statusCode = Number(request.url!.slice(1)) || 200;
  response.end();
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address() as AddressInfo;
const nobody = await freePort();
after(() => server.close());

function tried(probe: MessageInitShape<typeof ProbeSchema>): Promise<boolean> {
  return appProbe(plan, create(WorkloadTemplateSchema, { probe })).try();
}

describe("the probe of a WorkloadGroup", () => {
  const get = (path: string, at = port) => tried({ method: { case: "httpGet", value: { port: at, path } } });

  for (const [path, isReady] of [
    ["/200", true],
    ["/302", true],
    ["/404", false],
    ["/503", false],
  ] as const) {
    it(`by HTTP: ${path.slice(1)} is ${isReady ? "ready" : "not ready"}`, async () => {
      assert.equal(await get(path), isReady);
    });
  }

  it("by HTTP says the headers that are written, and the host among them", async () => {
    const headers = [
      { name: "host", value: "app.example" },
      { name: "x-probe", value: "1" },
    ];
    await tried({ method: { case: "httpGet", value: { port, path: "/200", headers } } });
    assert.equal(asked.at(-1), "GET /200 app.example 1");
  });

  it("where nobody listens is not ready, by HTTP, by HTTPS without TLS there, and by TCP", async () => {
    assert.equal(await get("/200", nobody), false);
    assert.equal(
      await tried({ method: { case: "httpGet", value: { port, path: "/", isHttps: true } } }),
      false,
    );
    assert.equal(await tried({ method: { case: "tcpSocket", value: { port: nobody } } }), false);
    assert.equal(await tried({ method: { case: "tcpSocket", value: { port } } }), true);
  });

  it("has Kubernetes' counts and periods where none are written", () => {
    const probe = create(WorkloadTemplateSchema, {
      probe: { method: { case: "tcpSocket", value: { port } } },
    });
    const { periodMs, successThreshold, failureThreshold } = appProbe(plan, probe);
    assert.deepEqual([periodMs, successThreshold, failureThreshold], [10_000, 1, 3]);
  });
});

describe("without a probe", () => {
  it("an application is ready when it listens on all ports of its group", async () => {
    const on = (...ports: number[]) => appProbe(plan, create(WorkloadTemplateSchema, { ports }));
    assert.equal(await on(port).try(), true);
    assert.equal(await on(port, nobody).try(), false);
    assert.equal(on(port).periodMs, listening.periodMs);
  });
});
