import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { LocalMesh } from "./local-mesh.ts";

const mesh = await LocalMesh.start();
after(() => mesh.close());

/** Says where it is, and fails once it is told to. */
const application = `
let isBroken = false;
require("node:http").createServer((request, response) => {
  if (request.url === "/break") isBroken = true;
  response.statusCode = isBroken && request.url === "/" ? 503 : 200;
  response.end(process.argv[2]);
}).listen(8080, process.argv[1]);`;

const rule = (setting: string) => `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: api }
spec:
  host: api
  trafficPolicy:
    outlierDetection: { consecutive5xxErrors: 2, maxEjectionPercent: 100, baseEjectionTime: 10m }
    loadBalancer: { localityLbSetting: ${setting} }
`;

async function applied(setting: string): Promise<void> {
  const file = join(mesh.state, "mesh.yaml");
  writeFileSync(file, rule(setting));
  const { code, stderr } = await mesh.weft("apply", "--wait", "-f", file);
  assert.equal(code, 0, stderr);
}

async function call(host: string): Promise<{ readonly status: number; readonly from: string }> {
  try {
    const response = await fetch(`http://${host}:20000/`, { headers: { host: "api:8080" } });
    return { status: response.status, from: await response.text() };
  } catch {
    return { status: 0, from: "" };
  }
}

/** How many of so many calls each place answered, all of them well. */
async function counts(host: string, calls: number): Promise<Readonly<Record<string, number>>> {
  const by: Record<string, number> = {};
  for (let i = 0; i < calls; i++) {
    const { status, from } = await call(host);
    assert.equal(status, 200);
    by[from] = (by[from] ?? 0) + 1;
  }
  return by;
}

const envoy = findPeer("envoy");

describe("calls by where caller and endpoints stand", {
  skip: envoy ? false : "no envoy on PATH, in WEFT_PEERS or ~/.cache/weft/peers",
}, () => {
  const callers = new Map([
    ["weft", mesh.addressOf(11)],
    ["envoy", mesh.addressOf(12)],
  ]);
  const near = mesh.addressOf(1);

  test("shares of localities are kept, and the next place serves when the nearest is ejected", async () => {
    for (const [i, place] of ["west/a", "west/b", "south/a"].entries()) {
      const host = mesh.addressOf(i + 1);
      const where = [
        "--version",
        `v${i + 1}`,
        "--locality",
        place,
        "--run-dir",
        join(mesh.state, `api-${i}`),
      ];
      const own = ["--port", "8080:http", "--inbound-port", "8080=18080", ...where];
      await mesh.run("api", i + 1, own, [process.execPath, "-e", application, host, place]);
    }
    for (const [kind, host] of callers) {
      const proxy = kind === "envoy" ? ["--proxy", "envoy", "--envoy-path", envoy!] : [];
      const own = ["--locality", "west/a", "--upstream", `api:8080=${host}:20000`, ...proxy];
      const number = Number(host.split(".")[3]);
      await mesh.run(`caller-${kind}`, number, own, [process.execPath, "-e", "setInterval(() => {}, 1000)"]);
    }
    await applied('{ distribute: [{ from: west/a, to: { "west/*": 75, south: 25 } }] }');
    for (const [kind, host] of callers) {
      const seen = new Set<string>();
      await mesh.until(`all places answer ${kind}`, async () => {
        const { status, from } = await call(host);
        if (status === 200) seen.add(from);
        return seen.size === 3;
      });
      const by = await counts(host, 200);
      // Three quarters are two localities of the same weight; the schedule is exact up to its beginning.
      for (const [place, share] of Object.entries({ "west/a": 75, "west/b": 75, "south/a": 50 })) {
        assert.ok(Math.abs(by[place]! - share) <= 15, `${kind}: ${JSON.stringify(by)}`);
      }
    }

    await applied("{ failover: [{ from: west, to: south }] }");
    // Acknowledged is a cluster that Envoy takes into service once it has its endpoints.
    for (const [kind, host] of callers) {
      await mesh.until(
        `the nearest alone answers ${kind}`,
        async () => (await counts(host, 20))["west/a"] === 20,
      );
    }

    assert.equal((await fetch(`http://${near}:8080/break`)).status, 200);
    for (const [kind, host] of callers) {
      await mesh.until(`${kind} has ejected the nearest`, async () => (await call(host)).status === 200);
      assert.deepEqual(await counts(host, 20), { "west/b": 20 }, kind);
    }
  });
});
