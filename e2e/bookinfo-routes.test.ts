/** Bookinfo's routes of the Gateway API as they are published, each applied to a running mesh and called. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { LocalMesh } from "./local-mesh.ts";

const samples = new URL("../packages/control/testdata/istio-bookinfo/", import.meta.url);
const envoy = findPeer("envoy");
const versions = ["v1", "v2", "v3"] as const;
const callers = ["weft", ...(envoy ? ["envoy"] : [])];

const app = (address: string, version: string) =>
  `require("http").createServer((request, response) => response.end("${version}")).listen(9080, "${address}")`;

describe("bookinfo by the Gateway API", () => {
  let mesh: LocalMesh;

  before(async () => {
    mesh = await LocalMesh.start();
    for (const [i, version] of versions.entries()) {
      const flags = ["--name", "reviews", "--version", version, "--service-account", `reviews-${version}`];
      const ports = ["--port", "9080:http", "--inbound-port", "9080=15080"];
      const command = [process.execPath, "-e", app(mesh.addressOf(11 + i), version)];
      await mesh.run(`reviews-${version}`, 11 + i, [...flags, ...ports], command);
    }
    for (const [i, caller] of callers.entries()) {
      const upstream = ["--upstream", `reviews:9080=${mesh.addressOf(21 + i)}:20000`];
      const plane = caller === "envoy" ? ["--proxy", "envoy", "--envoy-path", envoy!] : [];
      await mesh.run(
        caller,
        21 + i,
        [...upstream, ...plane],
        [process.execPath, "-e", "setInterval(() => {}, 1e6)"],
      );
    }
    await apply("platform-bookinfo.yaml", "platform-bookinfo-versions.yaml");
    for (const caller of callers) {
      await mesh.until(
        `${caller} reaches every version`,
        async () => Object.keys(await ask(caller, 30)).length === 3,
      );
    }
  });
  after(() => mesh?.close());

  async function apply(...files: readonly string[]): Promise<void> {
    const path = join(mesh.state, "sample.yaml");
    writeFileSync(path, files.map((file) => readFileSync(new URL(file, samples), "utf8")).join("\n---\n"));
    const { code, stderr } = await mesh.weft("apply", "-f", path, "--wait");
    assert.equal(code, 0, stderr);
  }

  /** How often each answer came. */
  async function ask(caller: string, count: number): Promise<Record<string, number>> {
    const url = `http://${mesh.addressOf(21 + callers.indexOf(caller))}:20000/reviews/0`;
    const answers: Record<string, number> = {};
    for (let i = 0; i < count; i += 1) {
      const answer = await fetch(url).then(
        async (response) => (response.status === 200 ? await response.text() : String(response.status)),
        (error: unknown) => String(error),
      );
      answers[answer] = (answers[answer] ?? 0) + 1;
    }
    return answers;
  }

  const cases: [file: string, shares: Readonly<Record<string, number>>][] = [
    ["route-all-v1.yaml", { v1: 1 }],
    ["route-reviews-90-10.yaml", { v1: 0.9, v2: 0.1 }],
    ["route-reviews-50-v3.yaml", { v1: 0.5, v3: 0.5 }],
    ["route-reviews-v3.yaml", { v3: 1 }],
    ["route-reviews-v1.yaml", { v1: 1 }],
  ];
  for (const [file, shares] of cases) {
    test(file, async () => {
      await apply(`gateway-api/${file}`);
      for (const caller of callers) {
        const count = 200;
        const answers = await ask(caller, count);
        for (const version of versions) {
          const share = shares[version] ?? 0;
          // Six standard deviations: once in a thousand million runs.
          const slack = 6 * Math.sqrt(count * share * (1 - share));
          const got = answers[version] ?? 0;
          assert.ok(
            Math.abs(got - count * share) <= slack,
            `${caller}, ${version}: ${JSON.stringify(answers)}`,
          );
        }
      }
    });
  }
});
