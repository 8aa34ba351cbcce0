/**
 * Who denied a call, by policy and line of YAML, for tokens and for services
 * that are asked: in a field of the answer, in the access log, in what is
 * remembered of the call, and in its explanation.
 */
import assert from "node:assert/strict";
import { generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { RecalledRequest } from "../packages/control/src/api/observe-protocol.ts";
import { LocalMesh } from "./local-mesh.ts";

const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const keys = JSON.stringify({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: "k", alg: "ES256" }] });
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

function token(issuer: string, expiresInS: number): string {
  const claims = { iss: issuer, sub: "alice", exp: Math.floor(Date.now() / 1000) + expiresInS };
  const text = `${part({ alg: "ES256", kid: "k", typ: "JWT" })}.${part(claims)}`;
  const signature = sign("sha256", Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" });
  return `${text}.${signature.toString("base64url")}`;
}

const security = `apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: users }
spec:
  selector: { matchLabels: { app: hello } }
  jwtRules:
    - issuer: https://first.example
      jwks: '${keys}'
    - issuer: https://second.example
      jwks: '${keys}'
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ask }
spec:
  selector: { matchLabels: { app: hello } }
  action: CUSTOM
  provider: { name: authorizer }
  rules:
    - to: [{ operation: { paths: [/asked*] } }]
`;

const says = (status: number, address: string) =>
  `require("http").createServer((_, response) => { response.statusCode = ${status}; response.end(); }).listen(8080, ${JSON.stringify(address)})`;

let mesh: LocalMesh;
const folder = mkdtempSync(join(tmpdir(), "weft-explained-"));
let log = "";

before(async () => {
  const config = join(folder, "mesh-config.json");
  log = join(folder, "access.log");
  writeFileSync(log, "");
  const provider = { service: "authorizer.default.svc.cluster.local", port: 8080 };
  writeFileSync(
    config,
    JSON.stringify({
      accessLogFile: "/dev/stdout",
      accessLogFormat: "%REQ(X-REQUEST-ID)% %DYNAMIC_METADATA(weft.explain:text)%\n",
      extensionProviders: [{ name: "authorizer", envoyExtAuthzHttp: provider }],
    }),
  );
  mesh = await LocalMesh.start("--explain-header", "mesh", "--mesh-config", config);
  const node = (program: string) => [process.execPath, "-e", program];
  const served = ["--port", "8080:http", "--inbound-port", "8080=18080"];
  await mesh.run("authorizer", 3, served, node(says(403, mesh.addressOf(3))));
  const own = [...served, "--access-log", log, "--scope", "all"];
  await mesh.run("hello", 2, own, node(says(200, mesh.addressOf(2))));
  const upstream = ["--upstream", `hello:8080=${mesh.addressOf(1)}:20000`];
  await mesh.run("caller", 1, upstream, node("setInterval(() => {}, 1000)"));
  const file = join(mesh.state, "security.yaml");
  writeFileSync(file, security);
  const applied = await mesh.weft("apply", "-f", file);
  assert.equal(applied.code, 0, applied.stderr);
  await mesh.until("hello answers", async () => (await call("/").catch(() => undefined))?.status === 200);
  await mesh.until("policies are in force", async () => (await call("/asked")).status === 403);
  await mesh.until("tokens are verified", async () => (await call("/", "bad")).status === 401);
});
after(async () => {
  await mesh?.close();
  rmSync(folder, { recursive: true });
});

async function call(path: string, bearer?: string, id = randomUUID()): Promise<Response> {
  const headers = { "x-request-id": id, ...(bearer && { authorization: `Bearer ${bearer}` }) };
  const response = await fetch(`http://${mesh.addressOf(1)}:20000${path}`, { headers });
  await response.arrayBuffer();
  return response;
}

const authentication = (i: number) => `request authentication ns[default]-authentication[users]-rule[${i}]`;
const cases = [
  ["a token that has expired", "/", () => token("https://first.example", -600), 401, authentication(0), 7],
  ["one of the second issuer", "/", () => token("https://second.example", -600), 401, authentication(1), 9],
  [
    "a token of nobody's",
    "/",
    () => token("https://third.example", 600),
    401,
    /^request authentication ns/,
    7,
  ],
  [
    "a service that was asked",
    "/asked/it",
    () => undefined,
    403,
    "external authorization, asked by policy ns[default]-policy[ask]-rule[0]",
    20,
  ],
] as const;

for (const [what, path, bearer, status, by, line] of cases) {
  test(`${what}: the denial is told with its policy and line everywhere`, async () => {
    const id = randomUUID();
    const response = await call(path, bearer(), id);
    assert.equal(response.status, status);
    const field = response.headers.get("x-weft-explain") ?? "";
    const [, decidedBy, decidedOrigin] = field.split("; ");
    if (typeof by === "string") assert.equal(decidedBy, by);
    else assert.match(decidedBy!, by);
    assert.match(
      decidedOrigin!,
      new RegExp(`security\\.yaml:${typeof by === "string" ? line : "\\d+"}:\\d+$`),
    );
    await mesh.until("the access log has it", () => readFileSync(log, "utf8").includes(`${id} ${field}\n`));
    const { stdout } = await mesh.weft("logs", "hello", "-o", "json");
    const seen = stdout
      .split("\n")
      .filter(Boolean)
      .map((text) => (JSON.parse(text) as RecalledRequest).request)
      .find(({ requestId }) => requestId === id)!;
    assert.deepEqual([seen.decidedBy, seen.decidedOrigin], [decidedBy, decidedOrigin]);
    const explained = await mesh.weft("explain", "--request-id", id);
    assert.ok(explained.stdout.includes(decidedBy!), explained.stdout);
    assert.ok(explained.stdout.includes(decidedOrigin!.split("/").at(-1)!), explained.stdout);
  });
}
