/**
 * Bad input, as a person gives it to the real command: each ends with a
 * non-zero exit, one clear error with its place and a next step, and leaves the
 * running mesh as it was.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type CommandResult, tryCommand } from "../packages/cli/src/demo/command.ts";
import { LocalMesh, launcher } from "./local-mesh.ts";

const directory = mkdtempSync(join(tmpdir(), "weft-bad-"));
const isRoot = process.getuid?.() === 0;
/** What runs a command as somebody who may nothing. */
const asNobody = isRoot ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];

const rules = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web}
spec:
  host: web
  subsets:
    - {name: v1, labels: {version: v1}}
`;
const routing = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: web
spec:
  hosts: [web]
  http:
    - route:
        - destination: {host: web, subset: v1}
`;
const named = (name: string, host = name) =>
  routing.replace("name: web", `name: ${name}`).replace("hosts: [web]", `hosts: [${host}]`);

const bootstrap = (port: number) => `static_resources:
  listeners:
    - name: web
      address: {socket_address: {address: 127.0.0.1, port_value: ${port}}}
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: web
                route_config: {virtual_hosts: [{name: all, domains: ["*"], routes: []}]}
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
`;

/** Bad YAML for 'weft apply': what is said, where \`file\` is the path of the first file. */
const badFiles: readonly {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly says: string;
  readonly place: string;
}[] = [
  {
    name: "YAML that cannot be read",
    files: { "broken.yaml": `${routing}  tcp: [\n` },
    place: "broken.yaml:11:1",
    says: "not valid YAML",
  },
  {
    name: "a kind nobody knows",
    files: { "kind.yaml": routing.replace("VirtualService", "VirtualServise") },
    place: "kind.yaml:2:7",
    says: 'unknown kind VirtualServise (networking.istio.io/v1) (did you mean "VirtualService"?)',
  },
  {
    name: "an apiVersion the kind does not have",
    files: { "version.yaml": routing.replace("io/v1", "io/v9") },
    place: "version.yaml:1:13",
    says: 'VirtualService has no apiVersion networking.istio.io/v9 (did you mean "networking.istio.io/v1"?)',
  },
  {
    name: "a value of the wrong type",
    files: { "type.yaml": routing.replace("[web]", "web") },
    place: "type.yaml:6:10",
    says: "spec.hosts must be a list, not the string web",
  },
  {
    name: "a field nobody knows",
    files: { "field.yaml": routing.replace("http:", "htpp:") },
    place: "field.yaml:7:3",
    says: 'unknown field spec.htpp (did you mean "http"?)',
  },
  {
    name: "a route to a subset that does not exist",
    files: { "subset.yaml": routing.replace("subset: v1", "subset: v7") },
    place: "subset.yaml:9:44",
    says: 'subset "v7" of web.default.svc.cluster.local does not exist (did you mean "v1"?)',
  },
  {
    name: "two VirtualServices for one host",
    files: { "two.yaml": `${named("a", "shop")}---\n${named("b", "shop")}` },
    place: "two.yaml:16:11",
    says: 'VirtualServices "a" and "b" both route shop.default.svc.cluster.local: only one can (merge them into one; the other is at two.yaml:6:11)',
  },
  {
    name: "a VirtualService for a host that an applied one routes",
    files: { "again.yaml": named("again", "web") },
    place: "again.yaml:6:11",
    says: 'VirtualServices "again" and "web" both route web.default.svc.cluster.local: only one can (merge them into one; the other is at mesh.yaml:14:11)',
  },
  {
    name: "one resource in two files",
    files: { "one.yaml": named("twice"), "two.yaml": named("twice") },
    place: "two.yaml:4:9",
    says: "VirtualService default/twice is written twice (the first is at one.yaml:4:9: remove one of them)",
  },
];

/** Anything else: the arguments, the exit code, and all that is said behind \`weft: \`. */
interface Misuse {
  readonly name: string;
  readonly args: () => readonly string[] | Promise<readonly string[]>;
  readonly code: number;
  readonly says: RegExp;
  readonly next: RegExp;
  readonly env?: () => NodeJS.ProcessEnv;
  readonly prefix?: readonly string[];
}

const freePorts = ["--port", "0", "--plain-port", "0", "--http-port", "0", "--address", "127.0.0.1"];
const controlPlane = (state: string, ...flags: string[]) => [
  "control-plane",
  ...["--state", join(directory, state)],
  ...freePorts,
  ...flags,
];
const run = (flags: readonly string[], ...command: string[]) => [
  ...["run", "--name", "late", "--capture", "none", "--address", mesh.addressOf(9)],
  ...["--control-plane", mesh.controlPlane, "--run-dir", join(directory, "run"), ...flags, "--"],
  ...(command.length > 0 ? command : ["true"]),
];
const token = async (serviceAccount: string, ...flags: string[]) =>
  (await mesh.weft("token", "create", "--service-account", serviceAccount, ...flags)).stdout.trim();
const inFile = (name: string, text: string) => {
  writeFileSync(join(directory, name), text);
  return name;
};

const misuses: readonly Misuse[] = [
  {
    name: "a file that does not exist",
    args: () => ["apply", "-f", "missing.yaml"],
    code: 2,
    says: /^-f missing\.yaml: does not exist$/,
    next: /path/,
  },
  {
    name: "a file with nothing in it",
    args: () => ["apply", "-f", inFile("empty.yaml", "# later\n---\n")],
    code: 1,
    says: /^empty\.yaml: nothing to apply$/,
    next: /Service, VirtualService/,
  },
  {
    name: "a port that is in use",
    args: () => controlPlane("other", "--port", mesh.controlPlane.split(":")[1]!),
    code: 1,
    says: /^cannot listen on 127\.0\.0\.1:\d+: the address is in use$/,
    next: /choose another with --port$/,
  },
  {
    name: "a second port that is in use",
    args: () => controlPlane("other", "--http-port", mesh.controlPlane.split(":")[1]!),
    code: 1,
    says: /^cannot listen on 127\.0\.0\.1:\d+: the address is in use$/,
    next: /choose another with --http-port$/,
  },
  {
    name: "an address of another machine",
    args: () => controlPlane("other", "--address", "192.0.2.1", "--plain-address", "127.0.0.1"),
    code: 1,
    says: /^cannot listen on 192\.0\.2\.1:0: this machine has no such address$/,
    next: /--address$/,
  },
  {
    name: "a state directory of another trust domain",
    args: () => ["control-plane", "--state", mesh.state, ...freePorts, "--trust-domain", "other.test"],
    code: 1,
    says: /another control plane \(pid \d+\) is running on the state directory/,
    next: /--state/,
  },
  {
    name: "a trust domain that the state was not made for",
    args: () => controlPlane("other", "--trust-domain", "other.test"),
    code: 1,
    says: /^the state in .*other belongs to trust domain cluster\.local, not other\.test$/,
    next: /--trust-domain cluster\.local, or with another --state/,
  },
  {
    name: "a trust domain that is none",
    args: () => controlPlane("other", "--trust-domain", "Other!"),
    code: 2,
    says: /^--trust-domain: "Other!" is not a trust domain/,
    next: /cluster\.local/,
  },
  {
    name: "a state directory that another user owns",
    args: () => ["control-plane", "--state", join(directory, "private"), ...freePorts],
    prefix: asNobody,
    code: 1,
    says: /^the state directory .*private cannot be used: no permission$/,
    next: /--state$/,
  },
  {
    name: "a state directory that may not be made",
    args: () => ["control-plane", "--state", join(directory, "closed", "state"), ...freePorts],
    prefix: asNobody,
    code: 1,
    says: /^the state directory .*closed\/state cannot be used: no permission$/,
    next: /--state$/,
  },
  {
    name: "a state directory where there can be none",
    args: () => ["control-plane", "--state", "/proc/weft/state", ...freePorts],
    code: 1,
    says: /^the state directory \/proc\/weft\/state cannot be used: does not exist$/,
    next: /--state$/,
  },
  {
    name: "a second control plane on one state",
    args: () => ["control-plane", "--state", mesh.state, ...freePorts],
    code: 1,
    says: /^another control plane \(pid \d+\) is running on the state directory \S+$/,
    next: /stop it, or .* --state/,
  },
  {
    name: "a configuration directory that is not there",
    args: () => controlPlane("other", "--config", "nowhere"),
    code: 1,
    says: /^--config nowhere cannot be read: /,
    next: /directory of YAML/,
  },
  {
    name: "an expired join token",
    args: async () => {
      const expired = await token("late", "--ttl", "1s");
      await new Promise((resolve) => setTimeout(resolve, 1_100));
      return run(["--token", expired]);
    },
    code: 1,
    says: /^--token: refused by the control plane: the join token is not known, has expired or was used already$/,
    next: /weft token create/,
  },
  {
    name: "a join token that was used before",
    args: async () => {
      const used = await token("late");
      const first = run(["--token", used, "--run-dir", join(directory, "first")]);
      assert.equal((await mesh.weft(...first)).code, 0);
      return run(["--token", used]);
    },
    code: 1,
    says: /^--token: refused by the control plane: .* was used already$/,
    next: /weft token create/,
  },
  {
    name: "a join token that is none",
    args: () => run(["--token", "let-me-in"]),
    code: 2,
    says: /^--token: this is not a join token/,
    next: /weft token create --service-account/,
  },
  {
    name: "a join token that is cut off",
    args: async () => run(["--token", (await token("late")).slice(0, -3)]),
    code: 2,
    says: /^--token: the join token is cut off or changed$/,
    next: /weft token create --service-account/,
  },
  {
    name: "a join token of another control plane",
    args: async () => run(["--token", `${(await token("late")).slice(0, -43)}${"A".repeat(43)}`]),
    code: 1,
    says: /^--control-plane 127\.0\.0\.1:\d+: /,
    next: /create a token at this control plane/,
  },
  {
    name: "a join token for another identity",
    args: async () => run(["--token", await token("other")]),
    code: 1,
    says: /the request is for spiffe:\S+\/sa\/late, but the join token is for spiffe:\S+\/sa\/other/,
    next: /--service-account/,
  },
  {
    name: "no join token",
    args: () => run([]),
    code: 1,
    says: /^no join token, and no identity from an earlier run$/,
    next: /--token-file FILE/,
  },
  {
    name: "a token file that does not exist",
    args: () => run(["--token-file", "missing.token"]),
    code: 1,
    says: /^--token-file missing\.token: does not exist$/,
    next: /weft token create .*> FILE/,
  },
  {
    name: "another trust domain than the control plane's",
    args: async () => run(["--token", await token("late"), "--trust-domain", "other.test"]),
    code: 1,
    says: /^--trust-domain other\.test: the control plane at 127\.0\.0\.1:\d+ is of another /,
    next: /weft check/,
  },
  {
    name: "a program that does not exist",
    args: () => run(["--token", "unused"], "no-such-program"),
    code: 127,
    says: /^no-such-program: command not found$/,
    next: /PATH/,
  },
  {
    name: "no command",
    args: () => ["run", "--name", "late"],
    code: 2,
    says: /^missing required argument 'command'$/,
    next: /^weft run --help$/,
  },
  {
    name: "a flag nobody knows",
    args: () => ["run", "--name", "late", "--prot", "1", "--", "true"],
    code: 2,
    says: /^unknown option '--prot'\n\(Did you mean --port\?\)$/,
    next: /^weft run --help$/,
  },
  {
    name: "a port that is none",
    args: () => ["run", "--name", "late", "--port", "99999:http", "--", "true"],
    code: 2,
    says: /^option '--port .*' argument '99999:http' is invalid\. a port is a number from 1 to 65535\.$/,
    next: /^weft run --help$/,
  },
  {
    name: "interception without root",
    args: () => ["run", "--name", "late", "--capture", "nft", "--", "true"],
    prefix: asNobody,
    code: 1,
    says: /^--capture nft needs root$/,
    next: /sudo.*--capture none/,
  },
  {
    name: "a run directory where there can be none",
    args: async () => run(["--token", await token("late"), "--run-dir", "/proc/weft/run"]),
    code: 1,
    says: /^the run directory \/proc\/weft\/run cannot be made: does not exist$/,
    next: /--run-dir/,
  },
  {
    name: "no control plane for a command",
    args: () => ["status"],
    env: () => ({ WEFT_STATE: join(directory, "nowhere") }),
    code: 3,
    says: /^no control plane answers on \S+nowhere\/api\.sock$/,
    next: /weft control-plane.*--state/,
  },
  {
    name: "a control plane of another user",
    args: () => ["status"],
    prefix: isRoot ? asNobody : ["false"],
    code: 3,
    says: /^no permission to use \S+api\.sock$/,
    next: /user who runs the control plane/,
  },
  {
    name: "a command nobody knows",
    args: () => ["aply"],
    code: 2,
    says: /^unknown command 'aply'\n\(Did you mean apply\?\)$/,
    next: /^weft --help$/,
  },
  {
    name: "a bootstrap that does not exist",
    args: () => ["proxy", "-c", "missing.yaml"],
    code: 1,
    says: /^cannot read missing\.yaml: it does not exist$/,
    next: /-c/,
  },
  {
    name: "a bootstrap with nothing in it",
    args: () => ["proxy", "-c", inFile("nothing.yaml", "")],
    code: 1,
    says: /^nothing\.yaml:1:1: nothing to serve/,
    next: /static_resources/,
  },
  {
    name: "a bootstrap that is no YAML",
    args: () => ["proxy", "-c", inFile("proxy.yaml", bootstrap(0).replace("listeners:", "listeners: {"))],
    code: 1,
    says: /^proxy\.yaml:3:13: /,
    next: /YAML or JSON/,
  },
  {
    name: "a bootstrap that is no JSON",
    args: () => ["proxy", "-c", inFile("proxy.json", '{"static_resources": {"listeners": [}')],
    code: 1,
    says: /^proxy\.json:1:37: /,
    next: /YAML or JSON/,
  },
  {
    name: "a bootstrap with a field nobody knows",
    args: () => ["proxy", "-c", inFile("proxy.yaml", bootstrap(0).replace("stat_prefix", "stat_prefiks"))],
    code: 1,
    says: /^proxy\.yaml:10:17: static_resources\.listeners\[0\].*stat_prefiks: unknown field .*did you mean `stat_prefix`\?\)$/,
    next: /nothing was started/,
  },
  {
    name: "a bootstrap with an extension the sidecar does not have",
    args: () => [
      ...["proxy", "-c"],
      inFile("proxy.yaml", bootstrap(0).replace("http.router.v3.Router", "http.nonsuch.v3.Nonsuch")),
    ],
    code: 1,
    says: /^proxy\.yaml:15:23: .*envoy\.extensions\.filters\.http\.nonsuch\.v3\.Nonsuch is not implemented/,
    next: /nothing was started/,
  },
  {
    name: "a bootstrap whose port is in use",
    args: () => {
      const port = Number(mesh.controlPlane.split(":")[1]);
      return ["proxy", "-c", inFile("proxy.yaml", bootstrap(port))];
    },
    code: 1,
    says: /^proxy\.yaml:4:7: listener 'web': cannot listen on 127\.0\.0\.1:\d+: the address is in use$/,
    next: /ss -ltnp.*nothing was started/,
  },
  {
    name: "a number of workers that is none",
    args: () => ["proxy", "-c", inFile("proxy.yaml", bootstrap(0)), "--concurrency", "many"],
    code: 2,
    says: /^--concurrency many: is not a number$/,
    next: /^weft proxy --help$/,
  },
];

let mesh: LocalMesh;
/** A workload whose control plane never answers; it gives up while the other cases run. */
let abandoned: Promise<CommandResult>;
let applied: string;

/** What the mesh is: revision, resources, and that a call through two sidecars is answered. */
async function stateOfMesh(): Promise<unknown> {
  const [resources, status] = await Promise.all([
    mesh.weft("get", "all", "-o", "json"),
    mesh.weft("status", "-o", "json"),
  ]);
  return {
    resources: JSON.parse(resources.stdout),
    revision: JSON.parse(status.stdout).revision,
    answer: await answer(),
  };
}

async function answer(): Promise<string> {
  try {
    const response = await fetch(`http://${mesh.addressOf(2)}:20000/`);
    return `${response.status} ${await response.text()}`;
  } catch (error) {
    return String(error);
  }
}

async function assertUnchanged(): Promise<void> {
  assert.equal(JSON.stringify(await stateOfMesh()), applied, "what was running is as it was");
}

function weft(args: readonly string[], how: Partial<Misuse> = {}): Promise<CommandResult> {
  const [file, ...rest] = [...(how.prefix ?? []), launcher, ...args];
  const env = { ...process.env, WEFT_STATE: mesh.state, ...how.env?.() };
  return tryCommand(file!, rest, { env, cwd: directory });
}

/** The one error and its next step. Notices are not errors; anything else is one too many. */
function theError({ stderr }: CommandResult): { readonly says: string; readonly next: string } {
  const notices =
    /^(weft: no interception .*|weft: waiting for the control plane: .*|\{"level":30.*|.*: (warning|info) \S+: .*)\n/gm;
  const match = /^weft: ([\s\S]*?)\n {2}next: (.*)\n$/.exec(stderr.replace(notices, ""));
  assert.ok(match, `not one error with a next step: ${stderr}`);
  assert.doesNotMatch(match[1]!, /\n\s+at |\nweft: |\n\[|node:|fault in weft/, "one error, and no stack");
  return { says: match[1]!, next: match[2]! };
}

before(async () => {
  chmodSync(directory, 0o755);
  mkdirSync(join(directory, "private"), { mode: 0o700 });
  mkdirSync(join(directory, "closed"), { mode: 0o555 });
  if (!isRoot) chmodSync(join(directory, "private"), 0o000);
  mesh = await LocalMesh.start();
  const silent = createServer().listen(0, "127.0.0.1");
  await once(silent, "listening");
  const { port } = silent.address() as { port: number };
  silent.close();
  await once(silent, "close");
  const orphan = await token("orphan");
  abandoned = mesh.weft(...run(["--token", orphan, "--control-plane", `127.0.0.1:${port}`]));
  const web = `require("http").createServer((q, s) => s.end("web")).listen(9080, "${mesh.addressOf(1)}")`;
  await mesh.run(
    "web",
    1,
    ["--version", "v1", "--port", "9080:http", "--inbound-port", "9080=19080"],
    [process.execPath, ...["-e", web]],
  );
  const upstream = `web:9080=${mesh.addressOf(2)}:20000`;
  await mesh.run("caller", 2, ["--upstream", upstream], ["sleep", "600"]);
  writeFileSync(join(directory, "mesh.yaml"), `${rules}---\n${routing}`);
  const { code, stderr } = await weft(["apply", "-f", "mesh.yaml"]);
  assert.equal(code, 0, stderr);
  await mesh.until("a call through the mesh is answered", async () => (await answer()) === "200 web");
  applied = JSON.stringify(await stateOfMesh());
});

after(async () => {
  await mesh.close();
  rmSync(directory, { recursive: true, force: true });
});

for (const { name, files, place, says } of badFiles) {
  test(`apply refuses ${name}`, async () => {
    for (const [file, text] of Object.entries(files)) writeFileSync(join(directory, file), text);
    const result = await weft(["apply", ...Object.keys(files).flatMap((file) => ["-f", file])]);
    assert.equal(result.code, 1, result.stderr);
    assert.equal(result.stdout, "");
    const errors = result.stderr.split("\n").filter((line) => / error [A-Z]+\d+: /.test(line));
    assert.equal(errors.length, 1, result.stderr);
    assert.ok(errors[0]!.startsWith(`${place}: error `), errors[0]);
    assert.ok(errors[0]!.includes(`: ${says}`), errors[0]);
    const rest = { ...result, stderr: result.stderr.replace(`${errors[0]}\n`, "") };
    assert.deepEqual(theError(rest), {
      says: "nothing was applied: 1 error",
      next: "correct the places above and apply again; the mesh runs on as it was",
    });
    await assertUnchanged();
  });
}

for (const misuse of misuses) {
  const skip = misuse.prefix?.[0] === "false" && "needs root to be somebody else";
  test(`weft refuses ${misuse.name}`, { skip }, async () => {
    const result = await weft(await misuse.args(), misuse);
    const { says, next } = theError(result);
    assert.match(says, misuse.says);
    assert.match(next, misuse.next);
    assert.equal(result.code, misuse.code);
    assert.equal(result.stdout, "", "stdout is for data");
    await assertUnchanged();
  });
}

test("a workload without a control plane says that it waits, and then why it gives up", async () => {
  const result = await abandoned;
  assert.equal(result.code, 1);
  assert.equal(result.stderr.match(/waiting for the control plane/g)?.length, 1, result.stderr);
  const { says, next } = theError(result);
  assert.match(says, /^no certificate from the control plane: 127\.0\.0\.1:\d+: connection refused$/);
  assert.match(next, /weft control-plane.*--control-plane HOST:PORT/);
});

test("a control plane that is killed is missed once and welcomed back once, and calls go on", async () => {
  const lost = [
    /weft: no connection to the control plane \((.*)\)/g,
    /\[warning\] ADS: not connected: (.*)/g,
  ];
  const back = [/weft: the control plane is back/g, /\[warning\] ADS: connected again/g];
  const told = (patterns: readonly RegExp[]) =>
    patterns.map((pattern) => [...mesh.saidBy("web").matchAll(pattern)].length);
  await mesh.killControlPlane();
  await mesh.until("the loss is told", () => told(lost).every((count) => count > 0));
  assert.equal(await answer(), "200 web");
  await mesh.startControlPlane();
  await mesh.until("the return is told", () => told(back).every((count) => count > 0));
  assert.deepEqual(told(lost), [1, 1], mesh.saidBy("web"));
  assert.deepEqual(told(back), [1, 1], mesh.saidBy("web"));
  for (const [, why] of mesh.saidBy("web").matchAll(lost[0]!)) {
    assert.ok(why!.split(mesh.controlPlane).length <= 2, `the address once at most: ${why}`);
  }
  await assertUnchanged();
});
