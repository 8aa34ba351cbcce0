/**
 * A sidecar that captures calls has of the mesh the virtual hosts that its
 * application has called; what is no host of the mesh never waits for them.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { CapturedMesh, noCapture as skip } from "./captured-mesh.ts";

const hosts = { caller: "10.96.1.1", server: "10.96.1.2" } as const;
const idle = "setInterval(() => {}, 1000)";
const hello = `require("http").createServer((request, response) => response.end("hello " + request.headers.host)).listen(9080, "127.0.0.1")`;

let mesh: CapturedMesh;

/** A call of the caller's application on the port of the service, to whatever address. */
const call = (host: string, address: string = hosts.server) =>
  mesh.curl("caller", "-m", "4", "-w", " %{http_code}", "-H", `host: ${host}`, `http://${address}:9080/`);

interface Routes {
  readonly name: string;
  readonly value: {
    readonly virtual_hosts: readonly { readonly name: string; readonly domains: string[] }[];
  };
}

/** What the caller has of the virtual hosts on the port. */
async function given(): Promise<Routes["value"]["virtual_hosts"]> {
  const { code, stdout } = await mesh.weft("proxy-config", "routes", "caller", "-o", "json");
  if (code !== 0) return [];
  const { resources } = JSON.parse(stdout) as { readonly resources: readonly Routes[] };
  return resources.find(({ name }) => name === "9080")?.value.virtual_hosts ?? [];
}

/** Whether the caller has a virtual host, or a cluster, on disk. */
function hasKept(name: string): boolean {
  const path = join(mesh.state, "caller", "config", "kept-config");
  return existsSync(path) && readFileSync(path, "utf8").includes(`"ads",${JSON.stringify(name)},`);
}

before(async () => {
  if (skip) return;
  mesh = await CapturedMesh.start({ name: "hosts" });
  // A host outside the mesh is called without TLS, and it is the server that answers for it.
  await mesh.apply(
    "permissive",
    "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: default }\nspec: { mtls: { mode: PERMISSIVE } }\n",
  );
  await mesh.run("server", hosts.server, ["--name", "server", "--port", "9080:http"], hello);
  await mesh.run("caller", hosts.caller, ["--name", "caller"], idle);
  await mesh.until("the server is healthy", async () => {
    const { workloads: all } = JSON.parse((await mesh.weft("status", "-o", "json")).stdout) as {
      readonly workloads: readonly { readonly workloadName: string; readonly isHealthy: boolean }[];
    };
    return all.some(({ workloadName, isHealthy }) => workloadName === "server" && isHealthy);
  });
  await mesh.until("the caller's routes are there", async () => (await given()).length > 0);
  await mesh.until("calls are captured", async () => (await call("outside.example")).startsWith("hello"));
});

after(() => mesh?.close());

const later = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: later }
spec:
  hosts: [later.example]
  ports: [{ number: 9080, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints: [{ address: ${hosts.server} }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: later }
spec:
  hosts: [later.example]
  http: [{ directResponse: { status: 418 } }]
`;

test("the first call of a service waits for its virtual host and succeeds, by whichever of its names", {
  skip,
}, async () => {
  const names = async () => (await given()).map(({ name }) => name);
  assert.deepEqual(await names(), ["allow_any"], "nothing of the mesh before, though others were called");
  assert.match(
    (await mesh.weft("explain", "--from", "caller", "--to", "http://server:9080/")).stdout,
    /server\.default\.svc\.cluster\.local/,
    "as it would route",
  );
  assert.equal(await call("server:9080"), "hello server:9080 200");
  assert.deepEqual((await names()).toSorted(), ["allow_any", "server.default.svc.cluster.local:9080"]);
  const own = (await given()).find(({ name }) => name.startsWith("server"))!;
  const address = own.domains.find((domain) => /^240\.240\.[\d.]+$/.test(domain))!;
  for (const host of ["server", "server.default", "server.default.svc.cluster.local:9080", address]) {
    assert.equal(
      await call(host, address),
      `hello ${host} 200`,
      "the address is the service's, not an endpoint's",
    );
  }
});

test("a host that the mesh gets later is routed by the mesh from then on", { skip }, async () => {
  assert.equal(await call("later.example"), "hello later.example 200", "it is outside the mesh");
  const file = await mesh.apply("later", later);
  await mesh.until("its route is taken", async () => (await call("later.example")).endsWith(" 418"));
  await mesh.weft("delete", "-f", file);
  await mesh.until("it is outside again", async () => (await call("later.example")).endsWith(" 200"));
});

test("without a control plane the world is reached at once, and what was learnt, also after a restart", {
  skip,
}, async () => {
  await mesh.until("what was learnt is on disk", () =>
    ["9080/server.default.svc.cluster.local", "outbound|9080||server.default.svc.cluster.local"].every(
      hasKept,
    ),
  );
  await mesh.end("hub", "SIGKILL");
  assert.equal(await call("new.example"), "hello new.example 200");
  assert.equal(await call("server.default"), "hello server.default 200");
  await mesh.end("caller", "SIGTERM");
  mesh.runAgain("caller", [hosts.caller], ["--name", "caller"], idle);
  await mesh.until("it serves what it kept", async () => (await call("new.example")).endsWith(" 200"));
  for (const host of ["server", "server.default:9080"]) assert.equal(await call(host), `hello ${host} 200`);
});
