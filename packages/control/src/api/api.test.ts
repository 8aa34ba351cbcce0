import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { UserError } from "@weft/base/errors";
import type { ApiBackend } from "./backend.ts";
import { ApiClient, ApiError } from "./client.ts";
import { ApiRefusal } from "./refusal.ts";
import type { Attempt } from "./serve-api.ts";
import { startApiServer } from "./server.ts";

async function setUp(t: TestContext, backend: Partial<ApiBackend>) {
  const directory = mkdtempSync(join(tmpdir(), "weft-api-"));
  const socketPath = join(directory, "api.sock");
  const logged: unknown[] = [];
  const attempts: Attempt[] = [];
  const server = await startApiServer({
    socketPath,
    backend: backend as ApiBackend,
    record: (attempt) => attempts.push(attempt),
    logError: (error) => logged.push(error),
  });
  t.after(async () => {
    await server.close();
    rmSync(directory, { recursive: true });
  });
  return { socketPath, directory, logged, attempts, client: new ApiClient({ socketPath, timeoutMs: 5_000 }) };
}

test("what the client sends arrives, and the answer comes back typed", async (t) => {
  const asked: unknown[] = [];
  const { client } = await setUp(t, {
    apply: (request, { caller, ifRevision }) => {
      asked.push(request, caller.role, ifRevision);
      return { revision: 3, dryRun: true, resources: [], diagnostics: [] };
    },
    getResource: (key) => {
      asked.push(key);
      return {
        ...key,
        apiVersion: "v1",
        text: "",
        origin: "a.yaml:1",
        revision: 1,
        changedAtMs: 0,
        source: "store",
      };
    },
    stats: (by, windowSeconds) => {
      asked.push([by, windowSeconds]);
      return { windowSeconds, rows: [], droppedSeries: 0 };
    },
  });
  const confirm = { timeoutMs: 1_000 };
  const apply = { files: [{ name: "a", text: "b" }], dryRun: true, confirm };
  assert.equal((await client.apply(apply, 7)).revision, 3);
  await client.getResource({ kind: "VirtualService", namespace: "a/b", name: "ü" });
  await client.stats({ by: "version", windowSeconds: 20 });
  assert.deepEqual(asked, [
    apply,
    "admin",
    7,
    { kind: "VirtualService", namespace: "a/b", name: "ü" },
    ["version", 20],
  ]);
});

test("a refusal reaches the client with its diagnostics", async (t) => {
  const diagnostics = [
    {
      code: "W1",
      severity: "error" as const,
      message: "bad",
      origin: { file: "a.yaml", line: 3, column: 5 },
    },
  ];
  const { client, attempts } = await setUp(t, {
    apply: () => {
      throw new ApiRefusal(422, { error: "nothing was applied", hint: "correct it", diagnostics });
    },
  });
  await assert.rejects(client.apply({ files: [] }), (error) => {
    assert.ok(error instanceof ApiError);
    assert.equal(error.status, 422);
    assert.equal(error.hint, "correct it");
    assert.deepEqual(error.diagnostics, diagnostics);
    return true;
  });
  const [{ caller, what, refusal }] = attempts as [Attempt];
  assert.deepEqual(
    [caller?.name, what, refusal?.status, refusal?.problem],
    ["local", "apply /api/v1/apply", 422, "nothing was applied"],
    "and is told to whoever writes the audit log",
  );
});

test("an unexpected failure is logged there and told here without a stack", async (t) => {
  const { client, logged } = await setUp(t, {
    status: () => {
      throw new TypeError("boom");
    },
  });
  await assert.rejects(client.status(), /the control plane failed: boom/);
  assert.equal(logged.length, 1);
});

const refused: readonly (readonly [string, string, string, unknown, number])[] = [
  ["an unknown path", "GET", "/api/v2/apply", undefined, 404],
  ["a wrong method", "DELETE", "/api/v1/apply", undefined, 405],
  ["a body that is not JSON", "POST", "/api/v1/apply", "{", 400],
  ["an apply without files", "POST", "/api/v1/apply", "{}", 400],
  ["an apply whose files are numbers", "POST", "/api/v1/apply", '{"files":[1]}', 400],
  [
    "an apply that is confirmed within a year",
    "POST",
    "/api/v1/apply",
    '{"files":[],"confirm":{"timeoutMs":3e10}}',
    400,
  ],
  ["a rollback to no revision", "POST", "/api/v1/rollback", '{"revision":"latest"}', 400],
  [
    "a rollback of half a resource",
    "POST",
    "/api/v1/rollback",
    '{"revision":1,"resource":{"kind":"a"}}',
    400,
  ],
  ["a token without an account", "POST", "/api/v1/tokens", '{"namespace":"a"}', 400],
  ["a window of a year", "GET", "/api/v1/stats?windowSeconds=31536000", undefined, 400],
  ["a revision that is no number", "GET", "/api/v1/sync?revision=latest", undefined, 400],
  ["a broken escape", "GET", "/api/v1/resources/a/b/%zz", undefined, 400],
  ["a parameter that is not known", "GET", "/api/v1/stats?window=10", undefined, 400],
  ["a parameter given twice", "GET", "/api/v1/events?limit=1&limit=2", undefined, 400],
  ["a property that is not known", "POST", "/api/v1/apply", '{"files":[],"dryrun":true}', 400],
  ["a body where none is taken", "POST", "/api/v1/dashboard", "{}", 400],
  ["a body longer than the operation takes", "POST", "/api/v1/tokens", `"${"x".repeat(65_536)}"`, 413],
];
for (const [name, method, path, body, status] of refused) {
  test(`refuses ${name} with ${status}`, async (t) => {
    const { socketPath } = await setUp(t, {});
    assert.equal(await rawStatus(socketPath, method, path, body as string | undefined), status);
  });
}

test("a request longer than the limit is refused and not held", async (t) => {
  const { socketPath } = await setUp(t, {});
  const body = `{"files":[{"name":"a","text":"${"x".repeat(17 << 20)}"}]}`;
  assert.equal(await rawStatus(socketPath, "POST", "/api/v1/apply", body), 413);
});

test("only its owner may use the socket", async (t) => {
  const { socketPath } = await setUp(t, {});
  assert.equal(statSync(socketPath).mode & 0o777, 0o600);
});

test("a socket left by a killed control plane is replaced, one that answers is not", async (t) => {
  const { socketPath, directory } = await setUp(t, {});
  await assert.rejects(
    startApiServer({
      socketPath,
      backend: {} as ApiBackend,
      record: () => undefined,
      logError: () => undefined,
    }),
    /cannot listen on .*the address is in use/,
  );
  const stale = join(directory, "stale.sock");
  writeFileSync(stale, "");
  await (
    await startApiServer({
      socketPath: stale,
      backend: {} as ApiBackend,
      record: () => undefined,
      logError: () => undefined,
    })
  ).close();
});

test("no control plane is an error with the next step", async () => {
  const client = new ApiClient({ socketPath: "/nonexistent/api.sock" });
  await assert.rejects(client.status(), (error) => {
    assert.ok(error instanceof UserError);
    assert.match(error.message, /no control plane answers/);
    assert.match(error.hint!, /weft control-plane/);
    assert.equal(error.exitCode, 3);
    return true;
  });
});

function rawStatus(
  socketPath: string,
  method: string,
  path: string,
  body: string | undefined,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, method, path, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    });
    sent.on("error", reject);
    if (body !== undefined) sent.setHeader("content-type", "application/json");
    sent.end(body);
  });
}
