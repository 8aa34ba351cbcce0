import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { weftProgram } from "@weft/testkit/weft-program";

const directory = mkdtempSync(join(tmpdir(), "weft-cli-"));
const state = join(directory, "state");
let plane: ChildProcess;

function startControlPlane(...flags: readonly string[]): ChildProcess {
  const ports = ["--port", "0", "--plain-port", "0", "--http-port", "0", "--address", "127.0.0.1"];
  return spawn(weftProgram, ["control-plane", "--state", state, ...ports, ...flags], {
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Resolves when it says that it is ready. */
async function untilReady(child: ChildProcess): Promise<string> {
  let said = "";
  for await (const chunk of child.stderr!) {
    said += chunk;
    if (said.includes("control plane ready")) return said;
  }
  throw new Error(`it ended: ${said}`);
}

interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function weft(args: readonly string[], input?: string): Promise<Result> {
  const child = spawn(weftProgram, args, { env: { ...process.env, WEFT_STATE: state } });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  child.stdin.end(input);
  const [code] = await once(child, "close");
  return { code, stdout, stderr };
}

before(async () => {
  plane = startControlPlane();
  await untilReady(plane);
});

after(async () => {
  plane.kill("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

const destinationRule = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: reviews
spec:
  host: reviews
  subsets:
    - name: v1
      labels: {version: v1}
`;
const virtualService = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
spec:
  hosts: [reviews]
  http:
    - route:
        - destination: {host: reviews, subset: v1}
`;

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

test("apply, get and delete do what they say, data on stdout and talk on stderr", async () => {
  const path = file("mesh.yaml", `${destinationRule}---\n${virtualService}`);
  const dry = await weft(["apply", "-f", path, "--dry-run"]);
  assert.equal(
    dry.stdout,
    "DestinationRule default/reviews created (dry run)\nVirtualService default/reviews created (dry run)\n",
  );
  const applied = await weft(["apply", "-f", path, "--wait"]);
  assert.equal(applied.code, 0, applied.stderr);
  assert.equal(
    applied.stdout,
    "DestinationRule default/reviews created\nVirtualService default/reviews created\n",
  );
  assert.match(applied.stderr, /revision 1: no proxy is connected/);
  assert.match((await weft(["apply", "-f", path])).stdout, /VirtualService default\/reviews unchanged/);

  assert.equal((await weft(["get", "vs", "reviews"])).stdout, virtualService);
  const { stdout: table } = await weft(["get", "all"]);
  assert.match(table, /^KIND +NAMESPACE +NAME +REVISION +AGE +FROM\n/);
  assert.ok(table.includes(`${path}:11`), table);
  const records = JSON.parse((await weft(["get", "dr", "-o", "json"])).stdout);
  assert.equal(records[0].name, "reviews");

  const deleted = await weft(["delete", "-f", path, "-o", "json"]);
  assert.equal(JSON.parse(deleted.stdout).deleted.length, 2);
  const gone = await weft(["get", "vs", "reviews"]);
  assert.equal(gone.code, 1);
  assert.match(gone.stderr, /weft: there is no VirtualService default\/reviews\n {2}next: 'weft get/);
});

test("delete -f takes back what apply of the same file made, whatever else is in it", async () => {
  const gateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: door }
spec: { gatewayClassName: weft, listeners: [{ name: http, port: 80, protocol: HTTP }] }
`;
  const deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: door }\n";
  const path = file("gateway.yaml", `${gateway}---\n${deployment}`);
  const applied = await weft(["apply", "-f", path]);
  assert.equal(applied.code, 0, applied.stderr);
  const deleted = await weft(["delete", "-f", path]);
  assert.equal(deleted.code, 0, deleted.stderr);
  assert.equal(deleted.stdout, "KubernetesGateway default/door deleted\n");
});

test("diff, history and rollback show and undo what apply did", async () => {
  const path = file("going.yaml", virtualService.replace("subset: v1", "port: {number: 80}"));
  const revisionOf = async () =>
    JSON.parse((await weft(["history", "-o", "json"])).stdout).revisions[0].revision;
  await weft(["apply", "-f", path]);
  const first = await revisionOf();
  writeFileSync(path, readFileSync(path, "utf8").replace("80", "81"));
  const diff = await weft(["diff", "-f", path]);
  assert.equal(diff.code, 1);
  assert.match(diff.stdout, /^-.*number: 80\}/m);
  assert.match(diff.stdout, /^\+.*number: 81\}/m);
  await weft(["apply", "-f", path, "--if-revision", String(first)]);
  assert.equal((await weft(["diff", "-f", path])).code, 0);
  writeFileSync(path, readFileSync(path, "utf8").replace("81", "82"));
  const refused = await weft(["apply", "-f", path, "--if-revision", String(first)]);
  assert.match(refused.stderr, /VirtualService default\/reviews was changed by revision/);

  const history = await weft(["history", "vs", "reviews", "--diff", "--limit", "1"]);
  assert.match(history.stdout, /^\+.*number: 81\}/m);
  const back = await weft(["rollback", "--wait"]);
  assert.equal(back.code, 0, back.stderr);
  assert.equal(back.stdout, "VirtualService default/reviews changed\n");
  assert.match((await weft(["get", "vs", "reviews"])).stdout, /number: 80/);
  assert.match((await weft(["history"])).stdout, /^ *\d+ .*VirtualService default\/reviews changed$/m);
  const gone = await weft(["rollback", "--to", String(first - 1), "-o", "json"]);
  assert.equal(JSON.parse(gone.stdout).resources[0].action, "deleted");
  assert.match((await weft(["rollback", "--to", "9999"])).stderr, /there is no revision 9999 yet/);
});

test("get says what became of a route, and what it says can be applied again", async () => {
  const route = `# of the shop
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: cart}
spec:
  parentRefs: [{group: "", kind: Service, name: cart, port: 80}]
  rules: [{backendRefs: [{name: nobody, port: 80}]}]
`;
  const service = `apiVersion: v1
kind: Service
metadata: {name: cart}
spec: {ports: [{name: http, port: 80}]}
`;
  const path = file("route.yaml", `${service}---\n${route}`);
  await weft(["apply", "-f", path, "--wait"]);
  const { stdout } = await weft(["get", "httproute", "cart", "-o", "yaml"]);
  assert.ok(
    stdout.startsWith(route.slice(0, route.indexOf("spec:")).replace("{name: cart}", "{ name: cart }")),
  );
  assert.match(stdout, /^ {6}controllerName: weft.dev\/mesh$/m);
  assert.match(stdout, /type: Accepted\n +status: "True"\n +reason: Accepted\n/);
  assert.match(stdout, /type: ResolvedRefs\n +status: "False"\n +reason: BackendNotFound\n/);
  const { stdout: table } = await weft(["get", "httproutes"]);
  assert.match(table, /AGE +STATUS +FROM\n(.*)BackendNotFound/);
  assert.equal((await weft(["apply", "-f", "-"], stdout)).code, 0);
  assert.equal((await weft(["delete", "-f", path])).code, 0);
});

test("analyze fails from the severity on that it is told, of files and of the running mesh", async () => {
  const path = file("broken.yaml", virtualService);
  const broken = await weft(["analyze", path]);
  assert.equal(broken.code, 1);
  assert.match(broken.stdout, /broken\.yaml:9:\d+: error IST0101: subset "v1"/);
  assert.equal((await weft(["analyze", path, "--fail-on", "never"])).code, 0);
  assert.equal((await weft(["analyze"])).code, 2);
  const whole = file("whole.yaml", `${destinationRule}---\n${virtualService}`);
  assert.equal((await weft(["analyze", whole])).code, 0);
  assert.equal((await weft(["analyze", whole, "--fail-on", "warning"])).code, 1, "no service reviews");
  assert.equal((await weft(["apply", "-f", whole])).code, 0);
  const live = await weft(["analyze", "--live", "-o", "json"]);
  const codes = JSON.parse(live.stdout).diagnostics.map(({ code }: { code: string }) => code);
  assert.deepEqual(codes, ["IST0101", "W2104"]);
  await weft(["delete", "-f", whole]);
});

test("apply reads stdin, and a directory", async () => {
  const fromStdin = await weft(["apply", "-f", "-"], destinationRule);
  assert.equal(fromStdin.code, 0, fromStdin.stderr);
  const folder = mkdtempSync(join(directory, "folder-"));
  writeFileSync(join(folder, "vs.yaml"), virtualService);
  writeFileSync(join(folder, "notes.md"), "no yaml");
  assert.match((await weft(["apply", "-f", folder])).stdout, /VirtualService default\/reviews created/);
  assert.equal((await weft(["delete", "vs", "reviews"])).stdout, "VirtualService default/reviews deleted\n");
  assert.equal((await weft(["delete", "dr", "reviews"])).code, 0);
});

test("a bad file is refused with file:line:column, exit code 1 and nothing changed", async () => {
  const path = file("bad.yaml", virtualService.replace("http:", "htpp:"));
  const { code, stdout, stderr } = await weft(["apply", "-f", path]);
  assert.equal(code, 1);
  assert.equal(stdout, "");
  assert.ok(stderr.includes(`${path}:7:3: error `), stderr);
  assert.match(stderr, /weft: nothing was applied: 1 error\n {2}next: /);
  assert.equal((await weft(["get", "all", "-o", "json"])).stdout, "[]\n");
});

test("a token is the only thing on stdout; it is listed without its secret and can be revoked", async () => {
  const created = await weft(["token", "create", "--service-account", "reviews", "--ttl", "10m"]);
  assert.match(created.stdout, /^weft-join-v1\.[0-9a-f]+\.[\w-]+\.[\w-]+\n$/);
  const [, id, secret] = created.stdout.trim().split(".");
  const list = await weft(["token", "list"]);
  assert.ok(list.stdout.includes(id!) && !list.stdout.includes(secret!));
  assert.equal((await weft(["token", "revoke", id!])).code, 0);
  assert.match((await weft(["token", "list"])).stdout, /revoked/);
  const unknown = await weft(["token", "revoke", "0000000000000000"]);
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /there is no token 0000000000000000/);
  const wrong = await weft(["token", "create", "--service-account", "Not A Name"]);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /weft: .*Not A Name/);
});

test("status, stat, ca and check answer, as tables and as JSON", async () => {
  const status = await weft(["status"]);
  assert.match(status.stdout, /^NAME +ROLE +CDS +LDS +EDS +RDS +NDS/);
  assert.match(status.stderr, /no proxy is connected; 'weft run'/);
  assert.equal(JSON.parse((await weft(["status", "-o", "json"])).stdout).trustDomain, "cluster.local");
  assert.match((await weft(["stat"])).stdout, /^NAMESPACE +NAME +MESHED +SUCCESS +RPS +P50 +P95 +P99 +TCP/);
  assert.deepEqual(JSON.parse((await weft(["stat", "-o", "json"])).stdout).rows, []);
  assert.match((await weft(["ca", "status", "-o", "pem"])).stdout, /^-----BEGIN CERTIFICATE-----/);
  const check = await weft(["check"]);
  assert.equal(check.code, 0, check.stdout);
  assert.match(check.stdout, /✓ reachable: version/);
  assert.match(check.stdout, /! proxies: none is connected\n {4}next: /);
});

test("a second control plane on the same state is refused, and the first one runs on", async () => {
  const second = startControlPlane();
  let said = "";
  second.stderr!.on("data", (chunk) => {
    said += chunk;
  });
  const [code] = await once(second, "close");
  assert.equal(code, 1);
  assert.match(
    said,
    /weft: another control plane \(pid \d+\) is running on the state directory .*\n {2}next: /,
  );
  assert.equal((await weft(["status"])).code, 0);
});

test("SIGTERM ends it cleanly, and the next start has the same state", async () => {
  await weft(["apply", "-f", "-"], destinationRule);
  const root = (await weft(["ca", "status", "-o", "pem"])).stdout;
  plane.kill("SIGTERM");
  const [code] = await once(plane, "exit");
  assert.equal(code, 0);
  assert.equal((await weft(["status"])).code, 3);
  plane = startControlPlane();
  await untilReady(plane);
  assert.equal((await weft(["ca", "status", "-o", "pem"])).stdout, root);
  assert.match((await weft(["get", "dr"])).stdout, /reviews/);
});
