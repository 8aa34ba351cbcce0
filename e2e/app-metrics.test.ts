/** An application's own metrics, on the page of either data plane, in the format that is asked for. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { freePort } from "../packages/testkit/src/free-port.ts";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { LocalMesh } from "./local-mesh.ts";

const envoy = findPeer("envoy");
const kinds = ["weft", "envoy"] as const;
const hosts = { weft: 1, envoy: 2 } as const;
const open = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const text = "text/plain; version=0.0.4; charset=utf-8";
/** Shows OpenMetrics to who asks for it, and text to others. */
const app = (port: number, address: string) => `
  require("http").createServer((request, response) => {
    const isOpen = (request.headers.accept ?? "").includes("openmetrics");
    response.setHeader("content-type", isOpen ? ${JSON.stringify(open)} : ${JSON.stringify(text)});
    response.end("# TYPE app_jobs counter\\napp_jobs_total 7\\n" + (isOpen ? "# EOF\\n" : ""));
  }).listen(${port}, ${JSON.stringify(address)});
`;

describe("an application's own metrics", {
  skip: envoy ? false : "no envoy on PATH, in WEFT_PEERS or ~/.cache/weft/peers",
}, () => {
  let mesh: LocalMesh;

  before(async () => {
    mesh = await LocalMesh.start();
    for (const kind of kinds) {
      const port = await freePort();
      const proxy = kind === "envoy" ? ["--proxy", "envoy", "--envoy-path", envoy!] : [];
      const flags = ["--app-metrics", `${port}/own`, ...proxy];
      const source = app(port, mesh.addressOf(hosts[kind]));
      await mesh.run(`app-${kind}`, hosts[kind], flags, [process.execPath, "-e", source]);
      await mesh.until(`${kind} shows its page`, async () =>
        (await page(kind, text)).body.includes("app_jobs"),
      );
    }
  });
  after(() => mesh?.close());

  async function page(kind: (typeof kinds)[number], accept: string) {
    const url = `http://${mesh.addressOf(hosts[kind])}:15090/stats/prometheus`;
    const response = await fetch(url, { headers: { accept } }).catch(() => undefined);
    return { type: response?.headers.get("content-type") ?? "", body: (await response?.text()) ?? "" };
  }

  for (const kind of kinds) {
    test(`${kind} shows them beside its own, as text`, async () => {
      const { type, body } = await page(kind, text);
      assert.equal(type, text);
      assert.match(body, /^app_jobs_total 7$/m);
      assert.match(body, /^envoy_server_live\b|^envoy_server_uptime\b/m);
      assert.match(body, /^weft_app_metrics_scrapes_total\{result="ok"\} \d+$/m);
      assert.doesNotMatch(body, /# EOF/);
    });
  }

  test("weft shows all of it as OpenMetrics, with one end; envoy has text only, and says so", async () => {
    const own = await page("weft", open);
    assert.equal(own.type, open);
    assert.equal(own.body.match(/# EOF/g)?.length, 1);
    assert.ok(own.body.endsWith("app_jobs_total 7\n# EOF\n"));
    const other = await page("envoy", open);
    assert.equal(other.type, text);
    assert.match(other.body, /^app_jobs_total 7$/m);
  });
});
