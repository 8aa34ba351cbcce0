import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { golden } from "@weft/testkit/golden";
import { Ajv2020 } from "ajv/dist/2020.js";
import { stringify } from "yaml";
import { startControlPlane } from "../control-plane.ts";
import { ApiClient } from "./client.ts";
import { openApiDocument } from "./openapi.ts";
import { operationsTable } from "./operations-table.ts";
import { apiRoutes } from "./route-table.ts";
import { watchEventsRoute } from "./routes/mesh-routes.ts";
import { tapRoute } from "./routes/request-routes.ts";
import { callJson, type JsonAnswer } from "./test-call-json.ts";
import { closed } from "./test-checked-client.ts";

interface Operation {
  readonly operationId: string;
  readonly "x-weft-role": string;
  readonly responses: Readonly<Record<string, object>>;
}

const document = JSON.parse(JSON.stringify(openApiDocument(apiRoutes)));
const operations = Object.entries(document.paths as Record<string, Record<string, Operation>>).flatMap(
  ([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

test("the document is OpenAPI 3.1, by its published schema", async () => {
  const { valid, errors } = await new Validator({ strict: false }).validate(structuredClone(document));
  assert.ok(valid, JSON.stringify(errors, undefined, 2));
});

test("the document has every route of the server, and no others", () => {
  const served = apiRoutes.map(({ method, path, id, role }) => `${method} ${path} ${id} ${role}`);
  const described = operations.map(
    ({ path, method, operation }) =>
      `${method.toUpperCase()} ${path} ${operation.operationId} ${operation["x-weft-role"]}`,
  );
  assert.deepEqual(described.sort(), served.sort());
  assert.equal(new Set(apiRoutes.map(({ id }) => id)).size, apiRoutes.length, "ids are unique");
});

test("what can change something is never a GET, and needs more than to read", () => {
  const reads = apiRoutes.filter(({ method, role }) => role === "read" && method !== "GET");
  assert.deepEqual(
    reads.map(({ id }) => id),
    ["diff", "openDashboard"],
    "these two change nothing of the mesh",
  );
  assert.deepEqual(
    apiRoutes.filter(({ method, role }) => role === "write" && method === "GET"),
    [],
  );
});

test("every operation answers as the document says", async (t) => {
  const { ask, asked } = await setUp(t);
  const text = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api}
spec: {hosts: [api.example], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}
`;
  const files = [{ name: "api.yaml", text }];
  const key = "ServiceEntry/default/api";
  await ask("diff", { body: { files } });
  const applied = await ask("apply", { body: { files } });
  assert.equal(applied.headers.etag, '"1"');
  await ask("apply", { body: { files: [{ name: "api.yaml", text: "kind: Nothing" }] }, status: 422 });
  await ask("listResources", { query: "?kind=ServiceEntry" });
  await ask("indexResources");
  assert.equal((await ask("getResource", { at: key })).headers.etag, '"1"');
  await ask("resourceVersions", { at: key });
  await ask("revisions");
  await ask("sync", { query: "?revision=1&timeoutMs=0" });
  await ask("status");
  await ask("stats");
  await ask("edges", { query: "?by=workload&windowSeconds=5" });
  await ask("histories", { query: "?id=mesh&id=service:a/b" });
  await ask("service", { at: "api.example" });
  await ask("meshNames");
  await ask("findWorkloads", { query: "?name=nobody" });
  await ask("encodedResource", { at: "nobody.default/listener/x" });
  await ask("registrations");
  await ask("analysis");
  await ask("explain", { query: "?from=web&to=http://api.example/&header=a:%20b" });
  await ask("explainRequest", { at: "r" });
  await ask("trace", { at: "0123456789abcdef", status: 404 });
  await ask("debug", { at: "registryz" });
  await ask("proxyConfig", { at: "nobody/listeners", status: 404 });
  await ask("events");
  await ask("recall", { body: { statusMin: 500, withHeaders: true } });
  const criteria = { minRequests: 10 };
  const times = { intervalMs: 5_000, deadlineMs: 0, ackTimeoutMs: 5_000 };
  const rollout = { namespace: "default", service: "api", to: "v3", steps: [10], criteria, ...times };
  await ask("startRollout", { body: { ...rollout, threshold: 1, iterations: 1 }, status: 404 });
  await ask("listRollouts");
  await ask("rolloutStatus", { at: "default/api", query: "?after=3", status: 404 });
  await ask("commandRollout", { at: "default/api/pause", status: 404 });
  const { id } = (await ask("createToken", { body: { namespace: "default", serviceAccount: "web" } }))
    .body as { id: string };
  await ask("listTokens");
  await ask("revokeToken", { at: id });
  await ask("caStatus");
  await ask("federation");
  await ask("auditLog", { query: "?limit=5&sinceMs=1&by=local" });
  await ask("verifyAudit");
  await ask("revoke", { body: { serial: "ab" }, status: 400 });
  await ask("createToken", { body: { namespace: "default", serviceAccount: "web" } });
  await ask("revoke", { body: { identity: "spiffe://cluster.local/ns/default/sa/web" } });
  await ask("rotateRoot", { body: { isForced: false } });
  await ask("openDashboard", {});
  await ask("rollback", { body: { revision: 0 }, ifMatch: '"0"', status: 412 });
  await ask("rollback", { body: { revision: 0, dryRun: true }, ifMatch: '"1"' });
  await ask("deleteResource", { at: key, ifMatch: '"0"', status: 412 });
  await ask("deleteResource", { at: key, ifMatch: '"1"' });
  await ask("openApi");
  assert.deepEqual(
    apiRoutes.map((route) => route.id).filter((one) => !asked.has(one)),
    ["watchEvents", "tap"],
    "each operation was asked, and the streams below",
  );
});

test("a stream has each value as the document says, and ends with who reads it", async (t) => {
  const { client } = await setUp(t);
  const seen: unknown[] = [];
  const values = client.stream(watchEventsRoute);
  const first = values.next();
  for (const id of ["a", "b"]) await client.createToken({ namespace: "default", serviceAccount: id });
  seen.push((await first).value, (await values.next()).value);
  assert.ok(seen.every((one) => (one as { kind: string }).kind === "token"));
  const validate = new Ajv2020({ strict: false }).compile(closed(watchEventsRoute.answer) as object);
  for (const one of seen) assert.ok(validate(one), JSON.stringify(validate.errors));
  await values.return();

  const lines = client.tap({}, new AbortController().signal);
  const { value: line } = await lines.next();
  assert.deepEqual(line, { watching: 0, unseen: [] });
  assert.ok(new Ajv2020({ strict: false }).compile(closed(tapRoute.answer) as object)(line));
  await lines.return();
});

test("docs/openapi.yaml and the table in docs/api.md say what is served", () => {
  golden(new URL("../../../../docs/openapi.yaml", import.meta.url), stringify(document, { lineWidth: 110 }));
  const page = new URL("../../../../docs/api.md", import.meta.url);
  const text = readFileSync(page, "utf8");
  const [before, after] = text.split(/(?<=<!-- operations -->\n).*(?=<!-- end -->)/s);
  golden(page, `${before}${operationsTable(apiRoutes)}${after}`);
});

interface Question {
  /** The path's parts, in order. */
  readonly at?: string;
  readonly query?: string;
  readonly body?: object;
  readonly ifMatch?: string;
  readonly status?: number;
}

async function setUp(t: TestContext) {
  const stateDir = mkdtempSync(join(tmpdir(), "weft-openapi-"));
  const plane = await startControlPlane({
    stateDir,
    trustDomain: "cluster.local",
    address: "127.0.0.1",
    port: 0,
    httpAddress: "127.0.0.1",
    httpPort: 0,
    version: "test",
    log: { info: () => {}, warn: () => {}, error: (_, message) => assert.fail(message) },
    dashboard: {
      directory: "",
      explain: async ({ from, to, method }) => ({
        request: { method, url: to },
        caller: { workload: from, identity: "" },
        steps: [],
        outcome: { result: "forwarded", summary: "", destinations: [] },
      }),
      explainRequest: async () => ({ calls: [] }),
    },
  });
  t.after(async () => {
    await plane.close();
    rmSync(stateDir, { recursive: true, force: true });
  });
  // Closed objects: an answer with a property that the document does not have is a lie of the document.
  const ajv = new Ajv2020({ strict: false });
  ajv.addSchema(closed(document) as object, "document");
  const asked = new Set<string>();
  const ask = async (id: string, question: Question = {}): Promise<JsonAnswer> => {
    const { at = "", query = "", body, ifMatch, status = 200 } = question;
    const { path, method, operation } = operations.find((one) => one.operation.operationId === id)!;
    const parts = at.split("/");
    const filled = path.replace(/\{\w+\}/g, () => encodeURIComponent(parts.shift() ?? ""));
    const headers: Record<string, string> = ifMatch === undefined ? {} : { "if-match": ifMatch };
    const answer = await callJson({ socketPath: plane.socketPath }, method, filled + query, {
      body,
      headers,
    });
    assert.equal(answer.status, status, `${id}: ${JSON.stringify(answer.body)}`);
    const said = `paths/${path.replace(/\//g, "~1").replace(/[{}]/g, encodeURIComponent)}/${method}/responses/200/content/application~1json/schema`;
    assert.ok(operation.responses[status], `${id} does not say that it may answer ${status}`);
    const validate = ajv.getSchema(`document#/${status === 200 ? said : "components/schemas/Error"}`)!;
    assert.ok(validate(answer.body), `${id}: ${JSON.stringify(validate.errors)}`);
    asked.add(id);
    return answer;
  };
  return { ask, asked, client: new ApiClient({ socketPath: plane.socketPath }) };
}
