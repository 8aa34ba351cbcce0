/**
 * The Gateway API's conformance tests for meshes, against live proxies: Weft's
 * sidecar and Envoy, each with the same control plane and the same workloads.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { after, before, describe, test } from "node:test";
import { findPeer } from "../../packages/testkit/src/peer.ts";
import { until } from "../../packages/testkit/src/until.ts";
import { type ConformanceTest, conformanceTests } from "./cases.ts";
import { difference } from "./compare.ts";
import { EchoMesh, type Order } from "./echo-mesh.ts";
import type { Expected } from "./expected.ts";
import { ownTests } from "./own-cases.ts";

const envoy = findPeer("envoy");
const isRoot = process.getuid?.() === 0;
const withoutRoot = !isRoot && !process.env.CI && "needs root for namespaces and nft rules";
const dataPlanes = [
  { name: "weft", flags: [], skip: withoutRoot },
  {
    name: "envoy",
    flags: ["--proxy", "envoy", "--envoy-path", envoy ?? "envoy"],
    skip: withoutRoot || (!envoy && "no envoy on PATH, in WEFT_PEERS or ~/.cache/weft/peers"),
  },
];

for (const { name, flags, skip } of dataPlanes) {
  describe(`the Gateway API's mesh conformance with ${name} as the sidecar`, { skip }, () => {
    const mesh = new EchoMesh(name, flags);
    before(() => mesh.start());
    after(() => mesh.close());

    for (const one of [...conformanceTests(mesh.addressOf("echo-v2")), ...ownTests]) {
      test(one.name, async () => {
        const { manifest } = one;
        if (manifest) await mesh.apply(basename(manifest.pathname), readFileSync(manifest, "utf8"));
        try {
          for (const expected of one.cases) await converge(mesh, one, expected);
          if (one.weights) await checkWeights(mesh, one, one.cases[0]!, one.weights);
        } finally {
          await mesh.deleteRoutes();
        }
      });
    }

    test("what is not to be tried again arrives once, and copies arrive beside", async () => {
      await mesh.apply("patience.yaml", readFileSync(new URL("own/patience.yaml", import.meta.url), "utf8"));
      const url = (path: string) => `http://echo${path}`;
      for (const path of ["/no-retry/once", "/other-code/once"]) {
        const [answer] = await mesh.ask("echo-v1", { url: url(path), headers: { "x-echo-fail": "503" } });
        assert.equal(answer!.status, 503);
        assert.equal(await mesh.seenBy("echo-v1", path), 1, path);
      }
      await mesh.deleteRoutes();
      await mesh.apply("mirrors.yaml", readFileSync(new URL("own/mirrors.yaml", import.meta.url), "utf8"));
      const answers = await mesh.ask("echo-v1", { url: url("/copied"), count: 5 });
      assert.deepEqual(
        answers.map(({ status }) => status),
        [200, 200, 200, 200, 200],
      );
      await mesh.until("all copies arrive", async () => (await mesh.seenBy("echo-v2", "/copied")) === 5);
      assert.equal(await mesh.seenBy("echo-v1", "/copied"), 5);

      // All requests for one backend, half of those for the other: three quarters.
      const count = 200;
      await mesh.ask("echo-v1", { url: url("/of-backends"), count });
      assert.equal(await mesh.seenBy("echo-v1", "/of-backends"), count);
      const isEnough = (copies: number) =>
        Math.abs(copies - count * 0.75) < 6 * Math.sqrt(count * 0.75 * 0.25);
      await mesh.until("three of four are copied", async () => {
        return isEnough(await mesh.seenBy("echo-v2", "/of-backends"));
      });
      await mesh.deleteRoutes();
    });
  });
}

function orderOf({ Request }: Expected): Order {
  const { Protocol = "http", Host = "echo", Path = "/", Method, Headers } = Request;
  return { url: `${Protocol}://${Host}${Path}`, method: Method, headers: Headers };
}

/** As there: what is configured takes effect in the end, and then stays. */
async function converge(mesh: EchoMesh, { client }: ConformanceTest, expected: Expected): Promise<void> {
  const order = { ...orderOf(expected), count: 3 };
  let last: string | undefined;
  await until(
    expected.TestCaseName ?? JSON.stringify(order),
    async () => {
      const answers = await mesh.ask(client, order);
      last = answers.map((answer) => difference(expected, answer)).find((wrong) => wrong !== undefined);
      return last === undefined;
    },
    { everyMs: 100, said: () => `${last}` },
  );
}

async function checkWeights(
  mesh: EchoMesh,
  { client }: ConformanceTest,
  expected: Expected,
  weights: Readonly<Record<string, number>>,
): Promise<void> {
  const count = 500;
  const answers = await mesh.ask(client, { ...orderOf(expected), count });
  const pods = answers.map(({ body }) => (JSON.parse(body ?? "{}") as { pod?: string }).pod);
  for (const [backend, share] of Object.entries(weights)) {
    const got = pods.filter((pod) => pod === backend).length;
    // Six standard deviations: once in a thousand million runs.
    const slack = 6 * Math.sqrt(count * share * (1 - share));
    assert.ok(Math.abs(got - count * share) < slack, `${backend}: ${got} of ${count}`);
  }
}
