import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { systemClock } from "@weft/base/clock";
import { type FakeAuthority, startFakeAuthority } from "@weft/testkit/fake-authority";
import { AdsServer } from "@weft/xds/ads-server";
import { typeUrl } from "@weft/xds/type-url";
import type { RunOptions } from "./run-options.ts";
import { runWorkload } from "./run-workload.ts";

/** An address of this test's own, where the sidecar's fixed ports can't meet anybody else's. */
const address = `127.91.${process.pid % 250}.${1 + (Math.floor(process.pid / 250) % 250)}`;
const appPort = 9080;

const folder = mkdtempSync(join(tmpdir(), "weft-run-"));
const log = join(folder, "events");
const note = (text: string) =>
  `require("fs").appendFileSync(${JSON.stringify(log)}, ${JSON.stringify(`${text}\n`)})`;
const events = () => readFileSync(log, "utf8").trim().split("\n");

/** As much of a sidecar as its agent sees: an admin interface, ready at the third question. */
const fakeSidecar = `
  let asked = 0;
  ${note("sidecar started")};
  require("http").createServer((request, response) => {
    if (request.url === "/ready") {
      asked += 1;
      if (asked === 3) ${note("sidecar ready")};
      response.statusCode = asked >= 3 ? 200 : 503;
    } else if (request.url.startsWith("/drain_listeners")) ${note("sidecar drains")};
    response.end();
  }).listen(15000, ${JSON.stringify(address)});
  process.on("SIGTERM", () => { ${note("sidecar ended")}; process.exit(); });
`;
const longApp = `
  ${note("application started")};
  require("net").createServer().listen(${appPort}, ${JSON.stringify(address)});
  process.on("SIGTERM", () => { ${note("application ended")}; process.exit(3); });
`;

let authority: FakeAuthority;
let onHealth = (_problem: string | undefined) => {};
const ads = new AdsServer({
  clock: systemClock,
  customTypes: [typeUrl.health],
  admit() {},
  events: {
    onConnected: (session) => session.setSnapshot({ byType: new Map() }),
    onDisconnected() {},
    onCustomRequest: (_session, { error }) => onHealth(error),
  },
});

before(async () => {
  authority = await startFakeAuthority({ routes: ads.routes("aggregated") });
  writeFileSync(join(folder, "sidecar.cjs"), fakeSidecar);
});
after(async () => {
  await authority.close();
  rmSync(folder, { recursive: true, force: true });
});

function run(script: string, options: Partial<RunOptions> = {}): Promise<number> {
  writeFileSync(log, "");
  return runWorkload({
    name: "web",
    ports: [{ port: appPort, protocol: "http", name: "http" }],
    inboundPorts: new Map([[appPort, 19080]]),
    addresses: [address],
    capture: "none",
    token: authority.token,
    controlPlane: `127.0.0.1:${authority.target.port}`,
    runDir: join(folder, "run"),
    command: [process.execPath, "-e", script],
    proxyCommand: [process.execPath, join(folder, "sidecar.cjs")],
    productVersion: "0.1.0",
    talk() {},
    ...options,
  });
}

test("the application starts after its sidecar is ready, and leaves the mesh before it ends", async () => {
  const stop = new AbortController();
  const health: (string | undefined)[] = [];
  onHealth = (problem) => {
    health.push(problem);
    if (problem === undefined) stop.abort();
  };
  assert.equal(await run(longApp, { signal: stop.signal }), 3, "the application's own exit code");
  assert.deepEqual(events(), [
    "sidecar started",
    "sidecar ready",
    "application started",
    "sidecar drains",
    "application ended",
    "sidecar ended",
  ]);
  assert.deepEqual(health, [
    "the application does not accept connections yet",
    undefined,
    "the application is being stopped",
  ]);
});

test("an application that ends by itself ends the workload with its code, with no new token needed", async () => {
  assert.equal(await run("process.exit(7)", { token: undefined }), 7);
  assert.equal(events().at(-1), "sidecar ended");
});

test("upstreams are in the application's environment, the join token is not", async () => {
  const upstreams = [{ host: "ratings", port: 9080, bindAddress: address, bindPort: 20000 }];
  process.env.WEFT_TOKEN = "secret";
  const check =
    "process.exit(process.env.RATINGS_SERVICE_PORT === '20000' && !process.env.WEFT_TOKEN ? 0 : 1)";
  assert.equal(await run(check, { upstreams }), 0);
  delete process.env.WEFT_TOKEN;
});

test("a stop while the sidecar is not ready yet ends the start", async () => {
  const stop = new AbortController();
  const never = "setInterval(() => {}, 1000)";
  writeFileSync(join(folder, "never.cjs"), never);
  onHealth = () => stop.abort();
  const code = await run("process.exit(0)", {
    signal: stop.signal,
    proxyCommand: [process.execPath, join(folder, "never.cjs")],
  });
  assert.equal(code, 143);
});

test("without a sidecar the application is told where gRPC's bootstrap is, and may read it", async () => {
  const app = `
    const { readFileSync } = require("fs");
    const bootstrap = JSON.parse(readFileSync(process.env.GRPC_XDS_BOOTSTRAP, "utf8"));
    const { config } = bootstrap.certificate_providers.default;
    require("crypto").createPrivateKey(readFileSync(config.private_key_file, "utf8"));
    const { id, metadata } = bootstrap.node;
    require("net").connect(bootstrap.xds_servers[0].server_uri.slice("unix:".length)).on("connect", () => {
      process.exit(id.startsWith("sidecar~") && metadata.GENERATOR === "grpc" ? 7 : 1);
    });
  `;
  assert.equal(await run(app, { proxy: "none", inboundPorts: undefined }), 7);
});

const refused: readonly [why: string, options: Partial<RunOptions>, message: RegExp, exitCode: number][] = [
  ["an unknown program", { command: ["no-such-program"] }, /no-such-program: command not found/, 127],
  ["no token at all", { token: undefined, runDir: join(folder, "other") }, /no join token/, 1],
  [
    "a token file that is not there",
    { tokenFile: "/no/such/file", runDir: join(folder, "other") },
    /--token-file \/no\/such\/file/,
    1,
  ],
  [
    "a data plane that is not there",
    { proxy: "envoy", envoyPath: "/no/envoy" },
    /--proxy envoy: \/no\/envoy not found/,
    1,
  ],
  ["a sidecar's port without a sidecar", { proxy: "none" }, /--inbound-port needs a sidecar/, 2],
  ["an impossible trust domain", { trustDomain: "Not One" }, /--trust-domain/, 2],
];
for (const [why, options, message, exitCode] of refused) {
  test(`${why} is refused before anything is started`, async () => {
    await assert.rejects(run("process.exit(0)", options), (error) => {
      assert.match((error as Error).message, message);
      assert.equal((error as { exitCode?: number }).exitCode, exitCode);
      return true;
    });
    assert.equal(readFileSync(log, "utf8"), "");
  });
}
