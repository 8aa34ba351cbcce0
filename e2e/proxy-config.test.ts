import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { LocalMesh } from "./local-mesh.ts";

const mesh = await LocalMesh.start();
after(() => mesh.close());

const envoy = findPeer("envoy");

const yaml = (workers: number) => `apiVersion: networking.istio.io/v1beta1
kind: ProxyConfig
metadata: { name: own }
spec:
  selector: { matchLabels: { tier: own } }
  concurrency: ${workers}
  environmentVariables: { WEFT_TAG_REGION: west }
`;

async function applied(workers: number): Promise<void> {
  const file = join(mesh.state, "mesh.yaml");
  writeFileSync(file, yaml(workers));
  const { code, stderr } = await mesh.weft("apply", "-f", file);
  assert.equal(code, 0, stderr);
}

/** The arguments and the environment of the process that runs a bootstrap of this run directory. */
function proxyOf(name: string): { readonly args: readonly string[]; readonly env: string } | undefined {
  for (const pid of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      const args = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      if (!args.includes(join(mesh.state, name, "bootstrap.yaml")) || !args.includes("-c")) continue;
      return { args, env: readFileSync(`/proc/${pid}/environ`, "utf8") };
    } catch {
      // It has ended.
    }
  }
  return undefined;
}

describe("a ProxyConfig", {
  skip: !envoy
    ? "no envoy on PATH, in WEFT_PEERS or ~/.cache/weft/peers"
    : process.platform === "linux"
      ? false
      : "no /proc",
}, () => {
  test("says how the proxies that it selects are started, with either data plane", async () => {
    await applied(2);
    const idle = [process.execPath, "-e", "setInterval(() => {}, 1000)"];
    const kinds = { weft: [], envoy: ["--proxy", "envoy", "--envoy-path", envoy!] };
    for (const [i, [kind, flags]] of Object.entries(kinds).entries()) {
      const own = ["--label", "tier=own", ...flags];
      await mesh.run(`own-${kind}`, i + 1, own, idle);
      await mesh.run(`other-${kind}`, i + 11, flags, idle);
      for (const [name, workers, region] of [
        [`own-${kind}`, "2", true],
        [`other-${kind}`, "1", false],
      ] as const) {
        await mesh.until(`${name} runs`, () => proxyOf(name) !== undefined);
        const { args, env } = proxyOf(name)!;
        assert.equal(args[args.indexOf("--concurrency") + 1], workers, name);
        assert.equal(env.includes("WEFT_TAG_REGION=west"), region, name);
      }
    }
    await applied(3);
    await mesh.until("the agent says that it takes a new start", () =>
      mesh.saidBy("own-weft").includes("starts proxies of this workload otherwise now"),
    );
  });
});
