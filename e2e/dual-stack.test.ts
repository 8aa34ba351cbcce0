/**
 * Workloads that have IPv4 and IPv6, IPv6 alone and IPv4 alone, in one mesh and
 * with either data plane: who shares a family with another calls it by name, and
 * everything that goes by addresses goes by those of IPv6 too.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parsePrometheusText } from "../packages/agent/src/metrics/parse-prometheus-text.ts";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { CapturedMesh, noCapture, noIpv6 } from "./captured-mesh.ts";

const envoy = findPeer("envoy");
const skip = noCapture || noIpv6 || (!envoy && "no Envoy found");

/** `listens` is where the application does: its sidecar finds it. */
const workloads = {
  both: { v4: "10.96.1.2", v6: "fd96::12", listens: "::1", proxy: "weft" },
  six: { v6: "fd96::13", listens: "::1", proxy: "weft" },
  four: { v4: "10.96.1.4", listens: "127.0.0.1", proxy: "weft" },
  "both-envoy": { v4: "10.96.1.5", v6: "fd96::15", listens: "::1", proxy: "envoy" },
  "six-envoy": { v6: "fd96::16", listens: "127.0.0.1", proxy: "envoy" },
} as const;
type Workload = keyof typeof workloads;
const names = Object.keys(workloads) as Workload[];
const addressesOf = (name: Workload): { readonly v4?: string; readonly v6?: string } => workloads[name];

/** Each that another can reach. */
const pairs = names.flatMap((caller) =>
  names
    .filter((callee) => {
      const [a, b] = [addressesOf(caller), addressesOf(callee)];
      return caller !== callee && ((a.v4 && b.v4) || (a.v6 && b.v6));
    })
    .map((callee) => [caller, callee] as const),
);

const configuration = `apiVersion: v1
kind: Service
metadata: { name: six-alone }
spec: { ipFamilies: [IPv6], selector: { app: both }, ports: [{ name: http, port: 80, targetPort: 9080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: from-kubernetes }
spec:
  clusterIP: 10.97.0.7
  clusterIPs: [10.97.0.7, "fd97::7"]
  selector: { app: both }
  ports: [{ name: tcp, port: 9000 }]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: outside }
spec:
  hosts: [outside.example]
  addresses: ["2001:db8::7"]
  ports: [{ number: 9001, name: tcp, protocol: TCP, targetPort: 9000 }]
  location: MESH_INTERNAL
  resolution: STATIC
  endpoints: [{ address: "fd96::12", serviceAccount: both }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: guarded }
spec:
  action: DENY
  rules:
  - from: [{ source: { ipBlocks: ["fd96::13/128", "fd96::16/128"] } }]
    to: [{ operation: { ports: ["9080"], paths: [/guarded] } }]
`;

const scriptOf = (name: Workload) => `
  const at = ${JSON.stringify(workloads[name].listens)};
  require("http").createServer(({ headers }, response) => {
    response.end(JSON.stringify({ from: ${JSON.stringify(name)}, caller: headers["x-forwarded-client-cert"] }));
  }).listen(9080, at);
  const say = (text) => require("net").createServer((socket) => {
    // What is closed before all that came was read ends as a reset.
    socket.on("error", () => {}).once("data", () => socket.end(text));
  });
  say(${JSON.stringify(name)}).listen(9000, at);
  say("undeclared").listen(9999, "::");`;

let mesh: CapturedMesh;
const logOf = (name: Workload) => join(mesh.state, `${name}.log`);

before(async () => {
  if (skip) return;
  mesh = await CapturedMesh.start({ name: "dual" });
  await mesh.apply("both-families", configuration);
  await Promise.all(
    names.map((name) => {
      const { proxy } = workloads[name];
      const data = proxy === "envoy" ? ["--proxy", "envoy", "--envoy-path", envoy!] : [];
      const ports = ["--port", "9080:http", "--port", "9000:tcp"];
      const { v4, v6 } = addressesOf(name);
      const addresses = [v4, v6].flatMap((one) => one ?? []);
      const flags = ["--name", name, ...ports, ...data, "--access-log", logOf(name)];
      return mesh.run(name, addresses, flags, scriptOf(name));
    }),
  );
  for (const [caller, callee] of pairs) {
    await mesh.until(`${caller} calls ${callee}`, async () =>
      (await mesh.curl(caller, `http://${callee}:9080/`)).includes(`"from":"${callee}"`),
    );
  }
});

after(() => mesh?.close());

/** The address that a name is called at, by whether curl asks for one of IPv4 or of IPv6. */
const calledAt = (caller: Workload, url: string, family: "-4" | "-6") =>
  mesh.curl(caller, family, "-o", "/dev/null", "-w", "%{remote_ip} %{http_code}", url);

for (const [caller, callee] of pairs) {
  test(`${caller} calls ${callee} by name, known by its certificate`, { skip }, async () => {
    const answer = JSON.parse(await mesh.curl(caller, `http://${callee}:9080/`));
    assert.equal(answer.from, callee);
    assert.match(answer.caller, new RegExp(`URI=spiffe://cluster\\.local/ns/default/sa/${caller}$`));
    assert.equal(await mesh.curl(caller, "--http0.9", `http://${callee}:9000/`), callee, "and over TCP");
  });
}

test("a name has addresses of the families that its caller and its service have", { skip }, async () => {
  const ours = { "-4": /^240\.240\.\d+\.\d+ 200$/, "-6": /^fd77:6566:7400::f0f0:[0-9a-f]+ 200$/ } as const;
  // 6: no such address; 7: no IPv6 here that one could be of.
  const none = /^curl ended with [67]:/;
  for (const [caller, url, v4, v6] of [
    ["both", "http://six:9080/", ours["-4"], ours["-6"]],
    ["both-envoy", "http://four:9080/", ours["-4"], ours["-6"]],
    ["six", "http://both:9080/", none, ours["-6"]],
    ["six-envoy", "http://both:9080/", none, ours["-6"]],
    ["four", "http://both:9080/", ours["-4"], none],
    ["both", "http://six-alone/", none, ours["-6"]],
  ] as const) {
    assert.match(await calledAt(caller, url, "-4"), v4, `${caller} ${url}`);
    assert.match(await calledAt(caller, url, "-6"), v6, `${caller} ${url}`);
  }
});

test("addresses that are written or that Kubernetes gave lead to the service", { skip }, async () => {
  for (const caller of ["both-envoy", "six"] as const) {
    for (const place of [
      "[fd97::7]:9000",
      "from-kubernetes:9000",
      "[2001:db8::7]:9001",
      "outside.example:9001",
    ]) {
      assert.equal(await mesh.curl(caller, "--http0.9", `http://${place}/`), "both", `${caller} ${place}`);
    }
  }
  assert.equal(await mesh.curl("four", "--http0.9", "http://10.97.0.7:9000/"), "both");
});

test("policies go by IPv6 addresses, with either data plane", { skip }, async () => {
  const statusOf = (caller: Workload, callee: Workload) =>
    mesh.curl(caller, "-o", "/dev/null", "-w", "%{http_code}", `http://${callee}:9080/guarded`);
  for (const callee of ["both", "both-envoy"] as const) {
    for (const caller of ["six", "six-envoy"] as const) assert.equal(await statusOf(caller, callee), "403");
    assert.equal(await statusOf("four", callee), "200");
  }
});

test("logs write IPv6 addresses in brackets, whoever writes them", { skip }, async () => {
  const place = "\\[[0-9a-f:]+\\]:\\d+";
  for (const [caller, own] of [
    ["six", "fd96::13"],
    ["six-envoy", "fd96::16"],
  ] as const) {
    const called = `${place} \\[fd77:6566:7400::f0f0:[0-9a-f]+\\]:9080 \\[${own}\\]:\\d+`;
    const line = new RegExp(`outbound\\|9080\\|\\|six(-envoy)?\\.default\\.svc\\.cluster\\.local ${called}`);
    await mesh.until(`${caller} has logged a call`, () => line.test(readFileSync(logOf(caller), "utf8")));
  }
});

test("an address of the mesh's own is explained", { skip }, async () => {
  const [address] = (await calledAt("six", "http://both:9080/", "-6")).split(" ");
  const explained = await mesh.weft("explain", "--from", "six", "--to", `http://[${address}]:9080/`);
  assert.match(explained.stdout, /outbound\|9080\|\|both\.default\.svc\.cluster\.local/);
});

test("statistics and health are there over IPv6", { skip }, async () => {
  assert.match(await mesh.curl("both", "http://[fd96::13]:15090/stats/prometheus"), /istio_requests_total\{/);
  for (const host of ["[fd96::13]", "[fd96::16]"]) {
    const asked = ["-o", "/dev/null", "-w", "%{http_code}", `http://${host}:15021/healthz/ready`];
    assert.equal(await mesh.curl("both", ...asked), "200");
  }
});

/** What a workload's sidecar counted of requests. */
async function requests(name: Workload, reporter: string): Promise<number> {
  const text = await mesh.curl(name, `http://[${addressesOf(name).v6}]:15090/stats/prometheus`);
  return parsePrometheusText(text, (series) => series === "istio_requests_total")
    .flatMap(({ series }) => series)
    .filter(({ labels }) => labels.reporter === reporter)
    .reduce((sum, { value }) => sum + value, 0);
}

const permissive = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: default }
spec: { mtls: { mode: PERMISSIVE } }
`;

test("calls of a workload's own addresses go through both sidecars, and reach what it does not declare", {
  skip,
}, async () => {
  await mesh.apply("permissive", permissive);
  const { v4, v6 } = workloads.both;
  await mesh.until("the server takes what is not secured", async () =>
    (await mesh.curl("both-envoy", "--http0.9", `http://${v4}:9999/`)).includes("undeclared"),
  );
  const seen = await requests("both", "destination");
  for (const host of [v4, `[${v6}]`]) {
    assert.match(await mesh.curl("both-envoy", `http://${host}:9080/`), /"from":"both"/);
    assert.equal(await mesh.curl("both-envoy", "--http0.9", `http://${host}:9999/`), "undeclared");
  }
  await mesh.until(
    "the server counts both",
    async () => (await requests("both", "destination")) === seen + 2,
  );
});

test("nothing of a workload is left behind", { skip }, async () => {
  const loopback = async () =>
    (await mesh.beside("both", ["ip", "-6", "address", "show", "dev", "lo"])).stdout;
  assert.match(await loopback(), / ::6\/128 /);
  await mesh.end("both", "SIGTERM");
  assert.doesNotMatch(await loopback(), /::6/);
});
