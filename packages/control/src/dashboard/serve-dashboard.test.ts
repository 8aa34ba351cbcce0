import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, get, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { systemClock } from "@weft/base/clock";
import { authenticateHere, requireThisMachine } from "../access/dashboard-session.ts";
import { localOperator } from "../api/caller.ts";
import { ApiClient } from "../api/client.ts";
import { startControlPlane } from "../control-plane.ts";
import { DashboardFeed } from "./feed.ts";
import { serveDashboard } from "./serve-dashboard.ts";
import { DashboardSessions } from "./sessions.ts";
import type { DashboardView } from "./view.ts";

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

async function setUp(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "weft-dashboard-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const dashboardDir = join(directory, "built");
  mkdirSync(join(dashboardDir, "assets"), { recursive: true });
  writeFileSync(join(dashboardDir, "index.html"), "the application");
  writeFileSync(join(dashboardDir, "assets", "app-1.js"), "1");
  writeFileSync(join(directory, "secret.js"), "not below the directory");
  const plane = await startControlPlane({
    stateDir: join(directory, "state"),
    dashboard: { directory: dashboardDir },
    trustDomain: "cluster.local",
    address: "127.0.0.1",
    port: 0,
    httpAddress: "127.0.0.1",
    httpPort: 0,
    version: "test",
    log: { info: () => {}, warn: () => {}, error: (_, message) => assert.fail(message) },
  });
  t.after(() => plane.close());
  const { url } = await new ApiClient({ socketPath: plane.socketPath }).openDashboard();
  const ask = (path: string, headers: Record<string, string> = {}, method = "GET") =>
    answerOf(plane.httpPort, path, headers, method);
  const login = async () => {
    const { headers } = await ask(url.slice(url.indexOf("/dashboard/")));
    return { cookie: headers["set-cookie"]![0]!.split(";")[0]! };
  };
  return { plane, url, ask, login };
}

async function answerOf(
  port: number,
  path: string,
  headers: Record<string, string>,
  method: string,
): Promise<Answer> {
  const request = get({ host: "127.0.0.1", port, path, headers, method, agent: false });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  let body = "";
  for await (const chunk of response.setEncoding("utf8")) body += chunk;
  return { status: response.statusCode!, headers: response.headers, body };
}

test("an address works once, and its cookie opens the pages", async (t) => {
  const { url, ask } = await setUp(t);
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/dashboard\/login\?code=/);
  const path = url.slice(url.indexOf("/dashboard/"));
  const first = await ask(path);
  assert.equal(first.status, 200);
  const [cookie] = first.headers["set-cookie"]!;
  assert.match(cookie!, /Path=\/; HttpOnly; SameSite=Strict/);
  const page = await ask("/dashboard/", { cookie: cookie!.split(";")[0]! });
  assert.equal(page.body, "the application");
  assert.match(String(page.headers["content-security-policy"]), /default-src 'none'/);
  const second = await ask(path);
  assert.equal(second.status, 401);
  assert.match(second.body, /used before.*weft dashboard/);
});

const refused: readonly (readonly [
  what: string,
  path: string,
  headers: Record<string, string>,
  method: string,
  status: number,
])[] = [
  ["a page without login", "/dashboard/", {}, "GET", 401],
  ["the feed without login", "/dashboard/events", {}, "GET", 401],
  ["data without login", "/api/v1/resource-index", {}, "GET", 401],
  ["a guessed code", "/dashboard/login?code=AAAA", {}, "GET", 401],
  ["a name that was made to resolve to this machine", "/dashboard/", { host: "evil.example" }, "GET", 403],
  ["anything that could change something", "/dashboard/", {}, "POST", 405],
  ["data for another name", "/api/v1/resource-index", { host: "evil.example" }, "GET", 403],
  ["data for another site's page", "/api/v1/resource-index", { "sec-fetch-site": "cross-site" }, "GET", 403],
];
for (const [what, path, headers, method, status] of refused) {
  test(`refuses ${what} with ${status}`, async (t) => {
    const { ask } = await setUp(t);
    assert.equal((await ask(path, headers, method)).status, status);
  });
}

test("a browser elsewhere is refused, but at an address that counts as this machine's; names never do", () => {
  const from = (remoteAddress: string, host: string) =>
    ({
      socket: { remoteAddress, localAddress: "10.0.0.2" },
      headers: { host },
    }) as unknown as IncomingMessage;
  const neighbours = ["10.0.0.1"];
  for (const host of ["10.0.0.2:15014", "localhost:15014"]) {
    requireThisMachine(from("10.0.0.1", host), neighbours);
    requireThisMachine(from("10.0.0.2", host));
  }
  const refusals = [
    () => requireThisMachine(from("10.0.0.1", "10.0.0.2:15014")),
    () => requireThisMachine(from("10.0.0.9", "10.0.0.2:15014"), neighbours),
    () => requireThisMachine(from("10.0.0.1", "evil.example"), neighbours),
  ];
  for (const refused of refusals) assert.throws(refused, /this machine alone/);
});

test("who is logged in gets what there is, and nothing from elsewhere on the disk", async (t) => {
  const { ask, login } = await setUp(t);
  const cookie = await login();
  const statusOf = async (path: string) => (await ask(path, cookie)).status;
  assert.equal(await statusOf("/dashboard/assets/app-1.js"), 200);
  assert.equal(await statusOf("/dashboard/../../secret.js"), 303);
  assert.equal(await statusOf("/dashboard/%2e%2e%2fsecret.js"), 404);
  assert.equal(await statusOf("/api/v1/resource-index"), 200);
  assert.equal(await statusOf("/api/v1/constructor"), 404);
  assert.equal((await ask("/api/v1/history?id=service:a", cookie)).body, '{"histories":[null]}');
  assert.equal(await statusOf("/api/v1/services/nobody"), 404);
  assert.equal((await ask("/api/v1/rollback", cookie, "POST")).status, 403, "who looks changes nothing");
});

test("the feed begins with the whole view", async (t) => {
  const { plane, login } = await setUp(t);
  const request = get({
    host: "127.0.0.1",
    port: plane.httpPort,
    path: "/dashboard/events",
    headers: await login(),
    agent: false,
  });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  t.after(() => request.destroy());
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) {
    text += chunk;
    if (text.includes("\n\n")) break;
  }
  const [, data] = /^event: view\ndata: (.*)\n\n/.exec(text)!;
  const view = JSON.parse(data!);
  assert.equal(view.mesh.trustDomain, "cluster.local");
  assert.deepEqual(Object.keys(view.tables), [
    "services",
    "versions",
    "edges",
    "workloads",
    "proxies",
    "problems",
    "events",
  ]);
});

test("closing the control plane ends who watches", async (t) => {
  const { plane, login } = await setUp(t);
  const { cookie } = await login();
  const socket = connect(plane.httpPort, "127.0.0.1");
  socket.write(`GET /dashboard/events HTTP/1.1\r\nhost: localhost\r\ncookie: ${cookie}\r\n\r\n`);
  await once(socket, "data");
  socket.resume();
  await Promise.all([once(socket, "close"), plane.close()]);
});

test("a viewer that never reads is dropped, and what waited for it is given back", async (t) => {
  const sessions = new DashboardSessions(systemClock);
  let round = 0;
  const feed = new DashboardFeed({
    clock: systemClock,
    read: () => viewOfSize(4 << 20, ++round),
    onError: (error) => assert.fail(String(error)),
    intervalMs: 5,
  });
  const serve = serveDashboard({
    directory: "",
    sessions,
    feed,
    admit: requireThisMachine,
    authenticate: (request) => authenticateHere(request, sessions),
    onError: (error) => assert.fail(String(error)),
  });
  const server = createServer(serve).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  t.after(() => server.close());
  const { session } = sessions.redeem(sessions.createCode(localOperator).code)!;
  const cookie = `weft-dashboard-${port}=${session}`;
  const [accepted] = (await Promise.all([once(server, "connection"), neverRead(port, cookie)]))[0] as [
    Socket,
  ];
  await once(accepted, "close");
  assert.equal(feed.viewers, 0);
});

function viewOfSize(bytes: number, atMs: number): DashboardView {
  const services = { "a/a": { name: `${atMs}`.padEnd(bytes, "x") } };
  const tables = { services, versions: {}, edges: {}, workloads: {}, proxies: {}, problems: {}, events: {} };
  return { mesh: { atMs }, tables } as unknown as DashboardView;
}

async function neverRead(port: number, cookie: string): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write(`GET /dashboard/events HTTP/1.1\r\nhost: localhost\r\ncookie: ${cookie}\r\n\r\n`);
}
