import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net, { type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, test } from "node:test";
import { freePort } from "@weft/testkit/free-port";
import { until } from "@weft/testkit/until";
import { OverloadState } from "../overload/overload-state.ts";
import {
  chainPlan,
  clusterPlan,
  httpPlan,
  listenerPlan,
  startTestProxy,
  type TestProxy,
} from "./test-proxy.ts";

const directory = mkdtempSync(join(tmpdir(), "weft-accepting-"));
after(() => rmSync(directory, { recursive: true, force: true }));
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

async function startProxy(
  plan: Parameters<typeof listenerPlan>[1] = {},
  options: Parameters<typeof startTestProxy>[2] = {},
): Promise<TestProxy> {
  const upstream = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", () => socket.write(answer));
  });
  upstream.listen(0, "127.0.0.1");
  await once(upstream, "listening");
  const { port } = upstream.address() as net.AddressInfo;
  const address = { kind: "ip", host: "127.0.0.1", port } as const;
  const proxy = await startTestProxy(
    [listenerPlan([chainPlan(httpPlan())], plan)],
    [clusterPlan([address])],
    options,
  );
  cleanups.push(async () => {
    await proxy.close();
    upstream.close();
  });
  return proxy;
}

/** A connection that has sent a request, and the first bytes of its answer; "" when it was closed instead. */
function request(port: number): { readonly socket: Socket; readonly answered: Promise<string> } {
  const socket = net.connect(port, "127.0.0.1");
  cleanups.push(() => socket.destroy());
  socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  const answered = new Promise<string>((resolve) => {
    socket.once("data", (chunk) => resolve(chunk.toString("latin1")));
    socket.once("close", () => resolve(""));
    socket.on("error", () => {});
  });
  return { socket, answered };
}

const pause = (ms: number) => new Promise<"waiting">((resolve) => setTimeout(() => resolve("waiting"), ms));

test("connections that come during a pause wait in the kernel and are served after it", async () => {
  const proxy = await startProxy();
  assert.match(await request(proxy.port()).answered, /^HTTP\/1\.1 200/);
  proxy.runtime.pauseAccepting(true);
  const waiting = request(proxy.port());
  assert.equal(await Promise.race([waiting.answered, pause(100)]), "waiting");
  proxy.runtime.pauseAccepting(false);
  assert.match(await waiting.answered, /^HTTP\/1\.1 200/);
  proxy.runtime.pauseAccepting(true);
  proxy.runtime.pauseAccepting(false);
  assert.match(await request(proxy.port()).answered, /^HTTP\/1\.1 200/, "again and again");
});

test("a listener's own limit and the one over all close what exceeds them, and are counted apart", async () => {
  const own = await startProxy({ maxConnections: 1 });
  const first = request(own.port());
  assert.match(await first.answered, /200/);
  assert.equal(await request(own.port()).answered, "");
  assert.equal(own.metric("envoy_listener_downstream_cx_overflow"), 1);
  const closed = once(first.socket, "close");
  first.socket.destroy();
  await closed;
  const all = await startProxy({}, { maxConnections: 1 });
  assert.match(await request(all.port()).answered, /200/);
  assert.equal(await request(all.port()).answered, "");
  assert.equal(all.metric("envoy_listener_downstream_global_cx_overflow"), 1);
});

test("under pressure requests are answered 503 and connections end, except where a listener is exempt", async () => {
  const overload = new OverloadState(() => 0);
  overload.isStressed = true;
  overload.refusedRequests = 1;
  overload.endedConnections = 1;
  const proxy = await startProxy({}, { overload });
  const refused = await request(proxy.port()).answered;
  assert.match(refused, /^HTTP\/1\.1 503 .*connection: close.*envoy overloaded$/s);
  assert.equal(proxy.metric("envoy_http_downstream_rq_overload_close"), 1);
  assert.equal(proxy.metric("envoy_http_downstream_cx_overload_disable_keepalive"), 1);
  const exempt = await startProxy({ bypassesOverload: true }, { overload });
  assert.match(await request(exempt.port()).answered, /^HTTP\/1\.1 200/);
});

test("a proxy that runs out of descriptors leaves connections waiting and serves them when others go", async () => {
  const port = await freePort();
  const bootstrap = join(directory, "bootstrap.yaml");
  writeFileSync(bootstrap, directResponses(port));
  const main = join(import.meta.dirname, "..", "main.ts");
  const script = `const { runProxy } = await import(${JSON.stringify(main)});
    process.exit(await runProxy({ configPath: ${JSON.stringify(bootstrap)}, drainTimeS: 0 }));`;
  const child = spawn(
    "sh",
    ["-c", 'ulimit -n 128; exec "$0" "$@"', process.execPath, "--input-type=module", "-e", script],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  cleanups.push(() => stop(child));
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  while (!/serving/.test(said)) await once(child.stderr, "data");
  const idle: Socket[] = [];
  for (let i = 0; i < 200; i++) {
    const socket = net.connect(port, "127.0.0.1");
    socket.on("error", () => {});
    cleanups.push(() => socket.destroy());
    await once(socket, "connect");
    idle.push(socket);
  }
  const last = request(port);
  assert.equal(await Promise.race([last.answered, pause(200)]), "waiting", "neither refused nor served");
  await until("it says so", () => /connections wait: descriptors run short/.test(said));
  for (const socket of idle) socket.destroy();
  assert.match(await last.answered, /^HTTP\/1\.1 200/, said);
  assert.equal(child.exitCode, null);
});

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const over = once(child, "exit");
  child.kill("SIGKILL");
  await over;
}

function directResponses(port: number): string {
  return `
static_resources:
  listeners:
    - name: l
      address: { socket_address: { address: 127.0.0.1, port_value: ${port} } }
      filter_chains:
        - filters:
            - name: hcm
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: s
                route_config:
                  virtual_hosts:
                    - { name: v, domains: ["*"], routes: [{ match: { prefix: / }, direct_response: { status: 200 } }] }
                http_filters:
                  - name: router
                    typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
`;
}
