import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import { ApiClient, ApiError } from "../api/client.ts";
import { remoteEndpoint } from "../api/remote-endpoint.ts";
import { allows, type Role } from "../api/role.ts";
import { apiRoutes } from "../api/route-table.ts";
import { certificateCases, foreignRequests, tokenCases } from "./test-remote-attacks.ts";
import { remotePlane } from "./test-remote-plane.ts";

test("each role may do what its operations need, and nothing else", async (t) => {
  const { ca, shown, statusOf } = await remotePlane(t);
  const people: readonly (readonly [string, Role])[] = [
    ["rita", "read"],
    ["walter", "write"],
    ["ada", "admin"],
  ];
  for (const [name, has] of people) {
    const tls = shown(ca.leaf("ops", name));
    for (const { method, path, role, id } of apiRoutes) {
      const status = await statusOf(method, path.replace(/\{\w+\}/g, "x"), tls);
      const isLetIn = status !== 401 && status !== 403;
      assert.equal(isLetIn, allows(has, role), `${has} and ${id}: ${status}`);
    }
  }
});

test("without anything to be known by, no operation and no page answers", async (t) => {
  const { statusOf } = await remotePlane(t);
  // Guessing is slowed down: what is over the burst is 429, which is no answer either.
  for (const path of ["/dashboard/", "/dashboard/events", "/api/v1/openapi.json", "/metrics"]) {
    assert.equal(await statusOf("GET", path, {}), 401, path);
  }
  const statuses = new Set<number>();
  for (const { method, path } of apiRoutes)
    statuses.add(await statusOf(method, path.replace(/\{\w+\}/g, "x"), {}));
  assert.deepEqual([...statuses].sort(), [401, 429]);
});

for (const [what, make, status, says] of tokenCases) {
  test(`${what} is answered with ${status}`, async (t) => {
    const plane = await remotePlane(t);
    const headers = { authorization: `Bearer ${await make(plane)}` };
    const answer = await plane.ask("GET", "/api/v1/status", { headers });
    assert.equal(answer.status, status, JSON.stringify(answer.body));
    assert.match(JSON.stringify(answer.body), says);
    assert.doesNotMatch(JSON.stringify(answer.body), /eyJ/, "a token is never repeated");
  });
}

for (const [what, make, status] of certificateCases) {
  test(`${what} is answered with ${status}`, async (t) => {
    const plane = await remotePlane(t);
    const answer = await plane.ask("GET", "/api/v1/status", { tls: await make(plane) });
    assert.equal(answer.status, status, JSON.stringify(answer.body));
  });
}

test("a bad token is not made good by a certificate beside it", async (t) => {
  const { ask, ca, shown } = await remotePlane(t);
  const headers = { authorization: "Bearer letmein" };
  assert.equal(
    (await ask("GET", "/api/v1/status", { tls: shown(ca.leaf("ops", "ada")), headers })).status,
    401,
  );
});

for (const [what, headers, status] of foreignRequests) {
  test(`a request for or of ${what} is answered with ${status}, whatever the browser's certificate is`, async (t) => {
    const { ask, ca, shown } = await remotePlane(t);
    const answer = await ask("GET", "/api/v1/status", { tls: shown(ca.leaf("ops", "ada")), headers });
    assert.equal(answer.status, status, JSON.stringify(answer.body));
  });
}

test("what a form of another page could send is not taken for a request", async (t) => {
  const { ask, ca, shown } = await remotePlane(t);
  const tls = shown(ca.leaf("ops", "ada"));
  const headers = { "content-type": "text/plain" };
  const answer = await ask("POST", "/api/v1/ca/rotation", { tls, headers, body: { isForced: true } });
  assert.equal(answer.status, 415);
});

test("guessing is slowed down by address, also for who knows a secret then", async (t) => {
  const { statusOf, issuer } = await remotePlane(t);
  const guess = { authorization: "Bearer a.b.c" };
  const statuses: number[] = [];
  for (let i = 0; i < 25; i++) statuses.push(await statusOf("GET", "/api/v1/status", {}, guess));
  assert.ok(statuses.slice(0, 20).every((status) => status === 401));
  assert.equal(statuses.at(-1), 429);
  const good = { authorization: `Bearer ${await issuer.sign()}` };
  assert.equal(await statusOf("GET", "/api/v1/status", {}, good), 429);
});

test("a body that is too long is refused by who may send one, and not read from who may not", async (t) => {
  const { ask, ca, shown, port, bundlePem } = await remotePlane(t);
  const body = { namespace: "a".repeat(100_000), serviceAccount: "a" };
  const answer = await ask("POST", "/api/v1/tokens", { tls: shown(ca.leaf("ops", "ada")), body });
  assert.equal(answer.status, 413);
  const socket = connectTls({ host: "127.0.0.1", port, ca: bundlePem, servername: "localhost" });
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  socket.write(
    "POST /api/v1/apply HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 16000000\r\n\r\n",
  );
  const [head] = (await once(socket, "data")) as [Buffer];
  assert.match(String(head), /^HTTP\/1\.1 401 /, "answered before the body came");
  socket.destroy();
});

test("a head that is too long is refused", async (t) => {
  const { statusOf } = await remotePlane(t);
  assert.equal(await statusOf("GET", "/api/v1/status", {}, { "x-a": "a".repeat(17_000) }), 431);
});

test("plain HTTP and TLS 1.1 get no answer of the API", async (t) => {
  const { port, bundlePem } = await remotePlane(t);
  const plain = connectTcp(port, "127.0.0.1");
  plain.on("error", () => {});
  plain.write("GET /api/v1/status HTTP/1.1\r\nhost: localhost\r\n\r\n");
  let heard = "";
  plain.on("data", (chunk) => {
    heard += chunk;
  });
  await once(plain, "close");
  assert.doesNotMatch(heard, /trustDomain|^HTTP\/1\.1 200/);
  const old = connectTls({
    host: "127.0.0.1",
    port,
    ca: bundlePem,
    servername: "localhost",
    maxVersion: "TLSv1.1",
    minVersion: "TLSv1",
    ciphers: "DEFAULT@SECLEVEL=0",
  });
  const [error] = (await once(old, "error")) as [NodeJS.ErrnoException];
  assert.match(String(error.code), /SSL|TLS/);
});

test("the dashboard's address works once through the listener, and its browser only looks", async (t) => {
  const { ask, ca, shown, port } = await remotePlane(t);
  const { body } = await ask("POST", "/api/v1/dashboard", { tls: shown(ca.leaf("ops", "ada")) });
  const { url } = body as { url: string };
  assert.ok(url.startsWith(`https://127.0.0.1:${port}/dashboard/login?code=`), url);
  const path = url.slice(url.indexOf("/dashboard/"));
  const login = await ask("GET", path);
  const [cookie = ""] = login.headers["set-cookie"] ?? [];
  assert.match(cookie, /HttpOnly; SameSite=Strict; Secure;/);
  assert.equal((await ask("GET", path)).status, 401);
  const link = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
  assert.equal((await ask("GET", path, { headers: link })).status, 401, "a link in a mail leads here");
  assert.equal((await ask("GET", "/api/v1/status", { headers: link })).status, 403);
  const headers = { cookie: cookie.split(";")[0]! };
  assert.equal((await ask("GET", "/api/v1/status", { headers })).status, 200);
  const refused = await ask("POST", "/api/v1/rollback", { headers, body: { revision: 0 } });
  assert.equal(refused.status, 403);
});

test("the command line's client works by certificate and by token, and says what to do where it does not", async (t) => {
  const { directory, ca, issuer, bundlePem, port } = await remotePlane(t);
  const file = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };
  const { keyPem, chainPem } = ca.leaf("ops", "walter");
  const server = `https://127.0.0.1:${port}`;
  const caFile = file("roots.pem", bundlePem);
  const clientCert = file("walter.pem", `${chainPem}\n${keyPem}`);
  const tokenFile = file("token", `${await issuer.sign()}\n`);
  const clientOf = (options: object) => new ApiClient({ endpoint: remoteEndpoint({ server, ...options }) });
  const byCertificate = clientOf({ caFile, clientCert });
  const text =
    "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: a}\nspec: {hosts: [a.example], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}\n";
  const { revision } = await byCertificate.apply({ files: [{ name: "a.yaml", text }] });
  const byToken = clientOf({ caFile, tokenFile });
  const [newest] = await byToken.revisions(1);
  assert.deepEqual(
    [newest!.revision, newest!.author],
    [revision, "spiffe://ops.example/ns/ops/sa/walter (certificate)"],
  );
  await assert.rejects(
    byToken.rollback({ revision: 0 }),
    (error) =>
      error instanceof ApiError &&
      error.status === 403 &&
      /alice@example.com has the role read/.test(error.message),
  );
  await assert.rejects(clientOf({ clientCert }).status(), /authority that is not trusted here/);
  await assert.rejects(clientOf({ caFile }).status(), /nobody is known/);
});

test("what was changed and what was refused is in the audit log, with who, how, from where and the revision", async (t) => {
  const { ask, api, ca, issuer, shown } = await remotePlane(t);
  const as = (name: string) => ({ tls: shown(ca.leaf("ops", name)) });
  const text =
    "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: a}\nspec: {hosts: [a.example], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}\n";
  const body = { files: [{ name: "a.yaml", text }] };
  await ask("POST", "/api/v1/apply", { ...as("walter"), body });
  await ask("POST", "/api/v1/apply", { ...as("rita"), body });
  await ask("POST", "/api/v1/apply", { ...as("walter"), body: { files: [{ name: "b", text: "kind: X" }] } });
  const headers = { authorization: `Bearer ${await issuer.sign({ groups: ["admins"] })}` };
  await ask("POST", "/api/v1/tokens", { headers, body: { namespace: "default", serviceAccount: "web" } });
  await ask("GET", "/api/v1/status");
  await ask("GET", "/api/v1/status", { headers: { host: "evil.example" } });
  const rows = (await api.auditLog())
    .toReversed()
    .map(({ event, authorizedBy, address, subject, revision, refusal }) => [
      event,
      authorizedBy,
      address,
      subject,
      revision ?? 0,
      refusal?.slice(0, 3) ?? "",
    ]);
  const walter = "operator spiffe://ops.example/ns/ops/sa/walter (certificate)";
  const rita = walter.replace("walter", "rita");
  const here = "127.0.0.1";
  assert.deepEqual(
    rows.filter(([event]) => !String(event).startsWith("root") && event !== "certificate issued"),
    [
      ["configuration changed", walter, here, "apply: ServiceEntry default/a created", 1, ""],
      ["refused", rita, here, "apply /api/v1/apply", 0, "403"],
      ["refused", walter, here, "apply /api/v1/apply", 0, "422"],
      [
        "token created",
        "operator alice@example.com (token)",
        here,
        "spiffe://cluster.local/ns/default/sa/web",
        0,
        "",
      ],
      ["refused", "nobody known", here, "GET /api/v1/status", 0, "401"],
      ["refused", "nobody known", here, "GET /api/v1/status", 0, "421"],
    ],
  );
  assert.equal((await api.verifyAudit()).isIntact, true);
});
