/**
 * One mesh, any data plane: Weft's sidecar, Envoy, and gRPC applications that
 * are their own, each calling each, with mutual TLS, weights, retries and denial.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { freePort } from "../packages/testkit/src/free-port.ts";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { LocalMesh } from "./local-mesh.ts";

const peers = { envoy: findPeer("envoy"), node: findPeer("weft-grpc-node"), go: findPeer("weft-grpc-go") };
const missing = Object.entries(peers).flatMap(([name, path]) => (path ? [] : [name]));

const kinds = ["weft", "envoy", "node", "go"] as const;
type Kind = (typeof kinds)[number];
const port = 50051;
/** gRPC for Node binds every address of the machine, whichever it is told: its port must be its own. */
let nodePort = 0;
const appPort = (kind: Kind) => (kind === "node" ? nodePort : port);
const askPort = 9000;
/** Out of 100 calls that ask for none in particular. */
const weights: Readonly<Record<Kind, number>> = { weft: 40, envoy: 30, node: 20, go: 10 };

const hostOf = (role: "server" | "client", kind: Kind) => kinds.indexOf(kind) + (role === "server" ? 10 : 20);
const isProxyless = (kind: Kind) => kind === "node" || kind === "go";
/** Sidecars stand before the one that is quick to start. */
const programOf = (kind: Kind) => (kind === "node" ? peers.node! : peers.go!);
const dataPlaneFlags = (kind: Kind) =>
  isProxyless(kind)
    ? ["--proxy", "none"]
    : kind === "envoy"
      ? ["--proxy", "envoy", "--envoy-path", peers.envoy!]
      : [];

const subsets = kinds.map((kind) => `{ name: ${kind}, labels: { version: ${kind} } }`).join(", ");
const retries = "retries: { attempts: 2, retryOn: unavailable }";
const routing = `
apiVersion: v1
kind: Service
metadata: { name: echo }
spec: { selector: { app: echo }, ports: [{ name: grpc, port: ${port}, targetPort: grpc }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: echo }
spec: { host: echo, subsets: [${subsets}] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: echo }
spec:
  hosts: [echo]
  http:
${kinds
  .map(
    (kind) => `    - match: [{ headers: { to: { exact: ${kind} } } }]
      ${retries}
      route: [{ destination: { host: echo, subset: ${kind} } }]`,
  )
  .join("\n")}
    - ${retries}
      route:
${kinds.map((kind) => `        - { destination: { host: echo, subset: ${kind} }, weight: ${weights[kind]} }`).join("\n")}
`;
const denial = (kind: Kind) => `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: echo }
spec:
  selector: { matchLabels: { app: echo } }
  action: DENY
  rules: [{ from: [{ source: { principals: [cluster.local/ns/default/sa/client-${kind}] } }] }]
`;

describe("every pair of data planes", {
  skip: missing.length > 0 ? `without ${missing.join(", ")}` : false,
}, () => {
  let mesh: LocalMesh;

  before(async () => {
    mesh = await LocalMesh.start();
    nodePort = await freePort();
    for (const kind of kinds) await startServer(kind);
    for (const kind of kinds) await startClient(kind);
    await apply(routing);
    for (const from of kinds) {
      for (const to of kinds) {
        await mesh.until(`${from} reaches ${to}`, async () => (await ask(from, { to }))[to] === 1);
      }
    }
  });
  after(() => mesh?.close());

  function startServer(kind: Kind): Promise<void> {
    const inbound = isProxyless(kind) ? [] : ["--inbound-port", `${appPort(kind)}=15051`];
    const flags = ["--name", "echo", "--version", kind, "--service-account", `echo-${kind}`];
    const where = `${mesh.addressOf(hostOf("server", kind))}:${appPort(kind)}`;
    return mesh.run(
      `echo-${kind}`,
      hostOf("server", kind),
      [...flags, "--port", `${appPort(kind)}:grpc:grpc`, ...inbound, ...dataPlaneFlags(kind)],
      [programOf(kind), "server", where, kind, isProxyless(kind) ? "xds" : "plain"],
    );
  }

  function startClient(kind: Kind): Promise<void> {
    const address = mesh.addressOf(hostOf("client", kind));
    const upstream = isProxyless(kind) ? [] : ["--upstream", `echo:${port}=${address}:20000`];
    const target = isProxyless(kind) ? `xds:///echo:${port}` : `${address}:20000`;
    return mesh.run(
      `client-${kind}`,
      hostOf("client", kind),
      [...upstream, ...dataPlaneFlags(kind)],
      [programOf(kind), "client", target, `${address}:${askPort}`, isProxyless(kind) ? "xds" : "plain"],
    );
  }

  /** How often each answer came, to calls from one client. */
  async function ask(
    from: Kind,
    call: { readonly to?: string; readonly message?: string; readonly count?: number },
  ): Promise<Record<string, number>> {
    const query = new URLSearchParams();
    for (const [key, value] of Object.entries(call)) query.set(key, String(value));
    try {
      const address = mesh.addressOf(hostOf("client", from));
      const response = await fetch(`http://${address}:${askPort}/?${query}`);
      return (await response.json()) as Record<string, number>;
    } catch (error) {
      return { [String(error)]: 1 };
    }
  }

  async function apply(yaml: string): Promise<void> {
    const file = join(mesh.state, "apply.yaml");
    writeFileSync(file, yaml);
    const { code, stderr } = await mesh.weft("apply", "-f", file, "--wait");
    assert.equal(code, 0, stderr);
  }

  test("no data plane refused anything, and status shows each", async () => {
    await mesh.until("each is in sync", async () => {
      const { stdout } = await mesh.weft("status", "-o", "json");
      const { proxies } = JSON.parse(stdout) as { proxies: { nodeId: string; state: string }[] };
      const sidecars = proxies.filter(({ nodeId }) => nodeId.startsWith("sidecar~"));
      assert.equal(new Set(sidecars.map(({ nodeId }) => nodeId)).size, 2 * kinds.length);
      assert.ok(
        sidecars.every(({ state }) => state !== "nacked"),
        stdout,
      );
      return sidecars.every(({ state }) => state === "synced");
    });
  });

  test("proxy-config shows what each was given, and the line that made it", async () => {
    const shown = async (kind: string, workload: string) => {
      const { code, stdout, stderr } = await mesh.weft("proxy-config", kind, workload, "-o", "json");
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout) as { dataPlane: string; resources: { name: string; origin?: string }[] };
    };
    const programs = { weft: /^weft/, envoy: /^envoy\/1/, node: /^gRPC Node/, go: /^gRPC Go/ };
    for (const kind of kinds) {
      const { dataPlane, resources } = await shown("clusters", `client-${kind}`);
      assert.match(dataPlane, programs[kind]);
      const subset = resources.find(({ name }) => name.startsWith(`outbound|${port}|${kind}|`));
      assert.match(
        subset?.origin ?? "",
        /apply\.yaml:\d+:\d+$/,
        `${kind}: ${JSON.stringify(resources).slice(0, 300)}`,
      );
      const { stdout } = await mesh.weft("proxy-config", "routes", `client-${kind}`);
      assert.match(stdout, /with to .*apply\.yaml:\d+/);
      const endpoints = await mesh.weft("proxy-config", "endpoints", `client-${kind}`);
      assert.match(endpoints.stdout, /mutual/);
      const listeners = await mesh.weft("proxy-config", "listeners", `client-${kind}`);
      assert.match(listeners.stdout, isProxyless(kind) ? /in the application/ : /:20000/);
    }
    const missing = await mesh.weft("proxy-config", "routes", "nobody");
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /no proxy of nobody is connected/);
  });

  test("status and analyze say what the applications that are their own data plane ignore", async () => {
    const pool = "trafficPolicy: { connectionPool: { tcp: { maxConnections: 1000 } } }";
    await apply(routing.replace("host: echo, subsets", `host: echo, ${pool}, subsets`));
    const ignored =
      /W2201: echo.*: 4 proxyless clients ignore limits of connections .* of DestinationRule default\/echo/;
    const analyzed = await mesh.weft("analyze", "--live");
    assert.equal(analyzed.code, 0, analyzed.stderr);
    assert.match(analyzed.stdout, ignored);
    const shown = await mesh.weft("status");
    assert.match(shown.stdout + shown.stderr, ignored);
    await apply(routing);
    assert.doesNotMatch((await mesh.weft("analyze", "--live")).stdout, /W2201/);
  });

  for (const from of kinds) {
    for (const to of kinds) {
      test(`${from} calls ${to}: a call that fails once is answered, one that always fails is tried three times`, async () => {
        const id = `${from}-${to}`;
        assert.deepEqual(await ask(from, { to, message: `flaky:${id}` }), { [to]: 1 });
        const [answer] = Object.keys(await ask(from, { to, message: `fail:${id}-always` }));
        assert.match(answer!, /^UNAVAILABLE/);
        assert.deepEqual(await ask(from, { to, message: `count:${id}-always` }), { 3: 1 });
      });
    }

    test(`${from} honours the weights of all four`, async () => {
      const count = 400;
      const answers = await ask(from, { count });
      for (const kind of kinds) {
        const expected = (count * weights[kind]) / 100;
        // Six standard deviations: once in a thousand million runs.
        const slack = 6 * Math.sqrt(expected * (1 - weights[kind] / 100));
        const got = answers[kind] ?? 0;
        assert.ok(
          Math.abs(got - expected) < slack,
          `${kind}: ${got} of ${count}: ${JSON.stringify(answers)}`,
        );
      }
    });
  }

  for (const denied of kinds) {
    test(`a policy against ${denied} is enforced before every kind, by the identity it proves`, async () => {
      await apply(denial(denied));
      for (const to of kinds) {
        await mesh.until(`${denied} is denied at ${to}`, async () =>
          Object.keys(await ask(denied, { to })).every((answer) => answer.startsWith("PERMISSION_DENIED")),
        );
        for (const from of kinds.filter((kind) => kind !== denied)) {
          await mesh.until(`${from} may call ${to}`, async () => (await ask(from, { to }))[to] === 1);
        }
      }
    });
  }
});
