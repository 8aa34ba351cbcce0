/** What operators see of single requests: `weft tap`, `weft logs`, `weft explain --request-id`. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { ObservedExplanation } from "../packages/cli/src/explain/explain-observed.ts";
import type { RecalledRequest, TapLine } from "../packages/control/src/api/observe-protocol.ts";
import { weftProgram } from "../packages/testkit/src/weft-program.ts";
import { LocalMesh } from "./local-mesh.ts";

let mesh: LocalMesh;

const server = (address: string) =>
  `require("http").createServer((request, response) => {
    response.statusCode = request.url.startsWith("/broken") ? 503 : 200;
    if (request.url !== "/slow") response.end("hello");
  }).listen(8080, ${JSON.stringify(address)})`;

const policy = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: hello }
spec:
  selector: { matchLabels: { app: hello } }
  action: DENY
  rules:
    - to: [{ operation: { paths: [/secret*] } }]
`;

const routes = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: hello }
spec:
  hosts: [hello]
  http:
    - match: [{ uri: { prefix: /aborted } }]
      fault: { abort: { httpStatus: 418, percentage: { value: 100 } } }
      route: [{ destination: { host: hello } }]
    - match: [{ uri: { prefix: /nowhere } }]
      route: [{ destination: { host: unknown } }]
    - match: [{ uri: { prefix: /slow } }]
      timeout: 0.1s
      route: [{ destination: { host: hello } }]
    - route: [{ destination: { host: hello } }]
`;

before(async () => {
  mesh = await LocalMesh.start("--explain-header", "mesh");
  await mesh.run(
    "hello",
    2,
    ["--port", "8080:http", "--inbound-port", "8080=18080"],
    [process.execPath, "-e", server(mesh.addressOf(2))],
  );
  await mesh.run(
    "caller",
    1,
    ["--upstream", `hello:8080=${mesh.addressOf(1)}:20000`],
    [process.execPath, "-e", "setInterval(() => {}, 1000)"],
  );
  await mesh.until("the service answers", async () => (await call("/")) === 200);
  const file = join(mesh.state, "policy.yaml");
  writeFileSync(file, policy);
  assert.equal((await mesh.weft("apply", "-f", file, "--wait")).code, 0);
  await mesh.until("the policy is in force", async () => (await call("/secret")) === 403);
});
after(() => mesh.close());

async function call(path: string, headers: Record<string, string> = {}): Promise<number> {
  try {
    const url = `http://${mesh.addressOf(1)}:20000${path}`;
    const response = await fetch(url, { headers });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 0;
  }
}

/** A `weft` that goes on until it is ended, and what it has written. */
class Watching {
  readonly #child: ChildProcess;
  stdout = "";
  stderr = "";

  constructor(...args: readonly string[]) {
    this.#child = spawn(weftProgram, args, {
      env: { ...process.env, WEFT_STATE: mesh.state },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child.stdout!.on("data", (chunk) => (this.stdout += chunk));
    this.#child.stderr!.on("data", (chunk) => (this.stderr += chunk));
  }

  pause(): void {
    this.#child.kill("SIGSTOP");
  }

  resume(): void {
    this.#child.kill("SIGCONT");
  }

  async end(): Promise<number | null> {
    const over = once(this.#child, "exit");
    this.#child.kill("SIGINT");
    const [code] = await over;
    return code as number | null;
  }
}

/** Calls until the watching shows something of it: it may have begun a moment later. */
async function shown(watching: Watching, what: RegExp, path: string): Promise<void> {
  await mesh.until(`${what} is shown`, async () => {
    await call(path);
    return what.test(watching.stdout);
  });
}

test("weft tap shows a request at both its ends, from its beginning to its end, and no secret of it", async () => {
  const tap = new Watching("tap", "--path", "/tapped");
  await shown(tap, /end .*proxy=in/, "/tapped?name=x&access_token=s3cret");
  await mesh.until("the caller's side is shown", () => /end .*proxy=out/.test(tap.stdout));
  assert.equal(await tap.end(), 0);
  const lines = tap.stdout.split("\n");
  const outbound = lines.find((line) => /^req .*proxy=out/.test(line))!;
  assert.match(
    outbound,
    /^req id=\d+:\d+ proxy=out src=127\S+ dst=127\S+:18080 tls=true :method=GET :authority=\S+ :path=\/tapped\?name=x&access_token=\*\*\*$/,
  );
  const id = /id=(\S+)/.exec(outbound)![1]!;
  const same = lines.filter((line) => line.includes(`id=${id} `));
  assert.deepEqual(
    same.map((line) => line.slice(0, 3)),
    ["req", "rsp", "end"],
  );
  assert.match(same[1]!, /:status=200 latency=\d+µs$/);
  assert.match(same[2]!, /duration=\d+µs response-length=5B$/);
  assert.doesNotMatch(tap.stdout, /s3cret/);
});

test("weft tap shows only what was asked for: callers, statuses, sides", async () => {
  const tap = new Watching(
    ...["tap", "hello", "--from", "caller", "--status", "4xx", "--direction", "inbound", "-o", "json"],
  );
  await mesh.until("a denial is shown", async () => {
    await call("/");
    await call("/secret/x");
    return tap.stdout.includes('"phase":"end"');
  });
  await tap.end();
  const lines = tap.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as TapLine);
  assert.equal(lines[0]!.watching, 1);
  for (const { event, workload } of lines.slice(1)) {
    assert.match(workload!, /^hello.*\.default$/);
    assert.equal(event!.request.direction, "inbound");
    assert.equal(event!.request.source?.identity, "spiffe://cluster.local/ns/default/sa/caller");
    assert.equal(event!.request.path, "/secret/x");
    assert.equal(event!.request.status, 403);
  }
});

test("weft tap shows so many requests a second, and counts the rest", async () => {
  const tap = new Watching("tap", "caller", "--max-rps", "1", "-o", "json");
  await mesh.until("something is over the limit", async () => {
    await Promise.all(Array.from({ length: 10 }, () => call("/")));
    return /"limited":[1-9]/.test(tap.stdout);
  });
  await tap.end();
  assert.match(tap.stderr, /requests were over the limit and are not shown; raise it with --max-rps/);
});

test("weft tap of nobody says who there is", async () => {
  const { code, stderr } = await mesh.weft("tap", "nobody");
  assert.equal(code, 1);
  assert.match(stderr, /no workload is called nobody\n {2}next: one of: .*caller/);
});

test("weft logs has what was before, failures longest, and follows what comes", async () => {
  const id = randomUUID();
  assert.equal(await call("/broken/1", { "x-request-id": id }), 503);
  const { stdout } = await mesh.weft("logs", "hello", "--status", "5xx", "--since", "5m");
  const line = stdout.split("\n").find((one) => one.includes(id))!;
  assert.match(
    line,
    /^\[\d{4}-\S+Z\] "GET \/broken\/1 HTTP\/\d(\.1)?" 503 - via_upstream - "-" 0 5 \d+ \d+ "/,
  );
  const json = await mesh.weft("logs", "caller", "--tail", "1", "-o", "json");
  const last = JSON.parse(json.stdout) as RecalledRequest;
  assert.equal(last.request.requestId, id);
  assert.equal(last.request.destination?.workload, "hello.default");

  const logs = new Watching("logs", "hello", "--path", "/broken", "--follow");
  await shown(logs, /\/broken\/2/, "/broken/2");
  assert.equal(await logs.end(), 0);
  assert.equal(logs.stdout.split(id).length, 2, "what was before, once");
});

test("a viewer that does not read costs requests nothing, and is told what it lost", async () => {
  const tap = new Watching("tap", "--max-rps", "10000", "-o", "json", "--path", "/flood");
  await shown(tap, /flood/, "/flood");
  tap.pause();
  const long = `/flood/${"x".repeat(1_900)}`;
  for (let i = 0; i < 60; i++) {
    const answers = await Promise.all(Array.from({ length: 10 }, () => call(long)));
    assert.ok(answers.every((status) => status === 200));
  }
  tap.resume();
  await mesh.until("the loss is told", () => /"lost":[1-9]/.test(tap.stdout));
  await tap.end();
  assert.match(tap.stderr, /lines were lost: they were not read fast enough/);
});

test("weft explain says of a call that was made why it came to what it did, at both its ends", async () => {
  const id = randomUUID();
  assert.equal(await call("/secret/plans", { "x-request-id": id, authorization: "Bearer s3cret" }), 403);
  const { stdout, code } = await mesh.weft("explain", "--request-id", id);
  assert.equal(code, 0);
  assert.match(stdout, /^GET http:\S+\/secret\/plans from caller\S*\.default /);
  assert.match(stdout, /authorization +denied .*policy\.yaml:8:/);
  assert.match(stdout, /recorded by caller\S+, outbound, \S+: 403 via_upstream after /);
  assert.match(stdout, /recorded by hello\S+, inbound, \S+: 403 rbac_access_denied_matched_policy\S+ after /);
  assert.match(stdout, /the configuration is that of then; the mesh would answer so now/);
  assert.match(stdout, /not kept, so conditions on it may be judged otherwise: authorization/);
  assert.doesNotMatch(stdout, /s3cret/);
});

test("weft explain says that the configuration was changed after the call", async () => {
  const id = randomUUID();
  assert.equal(await call("/secret/plans", { "x-request-id": id }), 403);
  assert.equal((await mesh.weft("delete", "AuthorizationPolicy", "hello", "--wait")).code, 0);
  await mesh.until("the policy is gone", async () => (await call("/secret")) === 200);
  const { stdout } = await mesh.weft("explain", "--request-id", id, "-o", "json");
  const { calls } = JSON.parse(stdout) as { calls: ObservedExplanation[] };
  assert.equal(calls.length, 1);
  const [{ recorded, isConfigurationSame, isSameNow }] = calls as [ObservedExplanation];
  assert.deepEqual([recorded.length, isConfigurationSame, isSameNow], [2, false, false]);
  assert.ok(recorded[1]!.changes.some(({ type }) => type === "listener"));
});

test("weft explain of a call that nobody remembers says what to do", async () => {
  const { code, stderr } = await mesh.weft("explain", "--request-id", "no-such-call");
  assert.equal(code, 1);
  assert.match(stderr, /no data plane remembers a call with the request id no-such-call\n.*--log/);
});

test("what decided about an answer from here is in the field, for members of the mesh, and in what is remembered", async () => {
  const cases = [
    [
      "/secret/x",
      /^rbac_access_denied_matched_policy\[ns\[default\]-policy\[hello\]-rule\[0\]\]; policy ns\[default\]-policy\[hello\]-rule\[0\]; \S+policy\.yaml:8:\d+$/,
    ],
    ["/aborted", /^FI fault_filter_abort; a route of hello\S+; \S+routes\.yaml:7:\d+$/],
    [
      "/nowhere",
      /^NC cluster_not_found; a route of hello\S+, to a cluster that is not there: outbound\|\S+; \S+routes\.yaml:10:\d+$/,
    ],
    ["/slow", /^UT response_timeout; a route of hello\S+; \S+routes\.yaml:12:\d+$/],
    ["/", undefined],
  ] as const;
  const file = join(mesh.state, "routes.yaml");
  writeFileSync(file, routes);
  assert.equal(
    (await mesh.weft("apply", "-f", file, "-f", join(mesh.state, "policy.yaml"), "--wait")).code,
    0,
  );
  await mesh.until("the routes are in force", async () => (await call("/aborted")) === 418);
  await mesh.until("the policy is in force", async () => (await call("/secret")) === 403);
  for (const [path, told] of cases) {
    const id = randomUUID();
    const response = await fetch(`http://${mesh.addressOf(1)}:20000${path}`, {
      headers: { "x-request-id": id },
    });
    await response.arrayBuffer();
    const field = response.headers.get("x-weft-explain");
    if (told === undefined) assert.equal(field, null, path);
    else assert.match(field!, told);
    if (!told) continue;
    const { stdout } = await mesh.weft("logs", "--path", path, "-o", "json");
    const seen = stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as RecalledRequest)
      .filter(({ request }) => request.requestId === id && request.isLocalReply);
    assert.equal(seen.length, 1, path);
    const { decidedBy, decidedOrigin } = seen[0]!.request;
    assert.ok(field!.endsWith(`; ${decidedBy}; ${decidedOrigin}`), field!);
  }
});
