import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { LocalMesh } from "./local-mesh.ts";

const mesh = await LocalMesh.start();
after(() => mesh.close());

const route = `apiVersion: v1
kind: Service
metadata: { name: api }
spec: { selector: { app: api }, ports: [{ name: http, port: 8080 }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: api }
spec:
  parentRefs: [{ group: "", kind: Service, name: api, port: 8080 }]
  rules:
    - backendRefs: [{ name: api, port: 8080 }]
      sessionPersistence: { cookie: { name: kept } }
`;

/** Says which instance it is, and ends when it is told to. */
const application = `
require("node:http").createServer((request, response) => {
  response.end(process.argv[2], () => request.url === "/end" && process.exit(0));
}).listen(8080, process.argv[1]);`;

interface Answer {
  readonly status: number;
  readonly from: string;
  readonly cookie: string | undefined;
}

async function call(host: string, cookie?: string): Promise<Answer> {
  const headers = { host: "api:8080", ...(cookie === undefined ? {} : { cookie }) };
  try {
    const response = await fetch(`http://${host}:20000/`, { headers });
    const [told] = response.headers.getSetCookie();
    return { status: response.status, from: await response.text(), cookie: told?.split(";")[0] };
  } catch {
    return { status: 0, from: "", cookie: undefined };
  }
}

const envoy = findPeer("envoy");

describe("a session of an HTTPRoute", {
  skip: envoy ? false : "no envoy on PATH, in WEFT_PEERS or ~/.cache/weft/peers",
}, () => {
  const callers = new Map([
    ["weft", mesh.addressOf(11)],
    ["envoy", mesh.addressOf(12)],
  ]);

  test("stays with its instance through either data plane, and begins again when that has left", async () => {
    const file = join(mesh.state, "mesh.yaml");
    writeFileSync(file, route);
    const { code, stderr } = await mesh.weft("apply", "-f", file);
    assert.equal(code, 0, stderr);
    for (const number of [1, 2, 3]) {
      const host = mesh.addressOf(number);
      const where = ["--version", `v${number}`, "--run-dir", join(mesh.state, `api-${number}`)];
      const own = ["--port", "8080:http", "--inbound-port", "8080=18080", ...where];
      await mesh.run("api", number, own, [process.execPath, "-e", application, host, host]);
    }
    for (const [kind, host] of callers) {
      const proxy = kind === "envoy" ? ["--proxy", "envoy", "--envoy-path", envoy!] : [];
      const own = ["--upstream", `api:8080=${host}:20000`, ...proxy];
      const idle = [process.execPath, "-e", "setInterval(() => {}, 1000)"];
      await mesh.run(`caller-${kind}`, Number(host.split(".")[3]), own, idle);
      const seen = new Set<string>();
      await mesh.until(`all instances answer ${kind}`, async () => {
        const { status, from } = await call(host);
        if (status === 200) seen.add(from);
        return seen.size === 3;
      });
    }
    const begun = await call(callers.get("weft")!);
    assert.match(begun.cookie ?? "", /^kept="/);
    for (const [kind, host] of callers) {
      for (let i = 0; i < 6; i++) {
        const again = await call(host, begun.cookie);
        assert.deepEqual([again.status, again.from, again.cookie], [200, begun.from, undefined], kind);
      }
    }
    await fetch(`http://${begun.from}:8080/end`);
    for (const [kind, host] of callers) {
      await mesh.until(`${kind} goes elsewhere`, async () => {
        const { status, from, cookie } = await call(host, begun.cookie);
        return status === 200 && from !== begun.from && cookie?.startsWith('kept="') === true;
      });
    }
  });
});
