/** PeerAuthentication and what follows it: who is answered how by either data plane, as the application sees it. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { LocalMesh } from "./local-mesh.ts";

const mesh = await LocalMesh.start();
after(() => mesh.close());

const envoy = findPeer("envoy");
const kinds = ["weft", "envoy"] as const;
const flagsOf = { weft: [], envoy: ["--proxy", "envoy", "--envoy-path", envoy ?? ""] } as const;
const [appPort, sidecarPort] = [9080, 19080];
const places = kinds.map((_, i) => mesh.addressOf(11 + i));
const origins = kinds.map((_, i) => `${mesh.addressOf(1)}:${20_000 + i}`);

/** Says by whose word it knows its caller: only mutual TLS leaves the sidecar something to say. */
const app = (address: string) =>
  `require("http").createServer((request, response) =>
     response.end(request.headers["x-forwarded-client-cert"]?.includes("/sa/caller") ? "mutual TLS" : "plain")
   ).listen(${appPort}, ${JSON.stringify(address)})`;

async function answer(authority: string, host: string): Promise<string> {
  try {
    const response = await fetch(`http://${authority}/`, { headers: { host } });
    return response.ok ? await response.text() : `${response.status}`;
  } catch {
    return "refused";
  }
}

/** What a member gets of each data plane, and what somebody without an identity does. */
async function answers(): Promise<string> {
  const member = kinds.map((kind, i) => answer(origins[i]!, `web-${kind}:${appPort}`));
  const stranger = kinds.map((kind, i) => answer(`${places[i]}:${sidecarPort}`, `web-${kind}:${appPort}`));
  return (await Promise.all([...member, ...stranger])).join(", ");
}

const peers = (mode: string) => `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default }
spec: { mtls: { mode: ${mode} } }
---
`;
const rules = kinds.map(
  (kind) => `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: web-${kind} }
spec: { host: web-${kind}, trafficPolicy: { tls: { mode: DISABLE } } }
---
`,
);

async function apply(yaml: string): Promise<void> {
  const file = join(mesh.state, "modes.yaml");
  writeFileSync(file, yaml);
  const { code, stderr } = await mesh.weft("apply", "--wait", "-f", file);
  assert.equal(code, 0, stderr);
}

describe("modes of mutual TLS", { skip: envoy ? false : "no envoy" }, () => {
  before(async () => {
    for (const [i, kind] of kinds.entries()) {
      const ports = ["--port", `${appPort}:http`, "--inbound-port", `${appPort}=${sidecarPort}`];
      await mesh.run(
        `web-${kind}`,
        11 + i,
        [...ports, ...flagsOf[kind]],
        [process.execPath, "-e", app(places[i]!)],
      );
    }
    const upstreams = kinds.flatMap((kind, i) => ["--upstream", `web-${kind}:${appPort}=${origins[i]}`]);
    await mesh.run("caller", 1, upstreams, [process.execPath, "-e", "setInterval(() => {}, 1000)"]);
  });

  for (const [said, yaml, member, stranger] of [
    ["nothing is said", "", "mutual TLS", "refused"],
    ["PERMISSIVE", peers("PERMISSIVE"), "mutual TLS", "plain"],
    ["PERMISSIVE, and a DestinationRule wants none", rules.join(""), "plain", "plain"],
    ["DISABLE", peers("DISABLE"), "plain", "plain"],
    ["STRICT again", peers("STRICT"), "mutual TLS", "refused"],
  ] as const) {
    test(`${said}: a member is answered by ${member}, a stranger: ${stranger}`, async () => {
      if (said.startsWith("DISABLE")) {
        for (const kind of kinds) await mesh.weft("delete", "--wait", "DestinationRule", `web-${kind}`);
      }
      if (yaml !== "") await apply(yaml);
      const wanted = [member, member, stranger, stranger].join(", ");
      await mesh.until(wanted, async () => (await answers()) === wanted);
    });
  }
});
