import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net, { type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { freePort } from "@weft/testkit/free-port";

const main = join(import.meta.dirname, "..", "main.ts");
/** What the heap of the process may hold, and what one request puts into it. */
const heapMegabytes = 128;
const headBytes = 900_000;

function bootstrap(port: number, upstream: number): string {
  const type = (name: string) => `type.googleapis.com/envoy.extensions.filters.${name}`;
  const address = (value: number) => ({ socket_address: { address: "127.0.0.1", port_value: value } });
  const routes = [
    { match: { path: "/ok" }, direct_response: { status: 200 } },
    { match: { prefix: "/" }, route: { cluster: "silent", timeout: "0s" } },
  ];
  const manager = {
    "@type": type("network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: "s",
    max_request_headers_kb: 1_024,
    route_config: { virtual_hosts: [{ name: "v", domains: ["*"], routes }] },
    http_filters: [{ name: "router", typed_config: { "@type": type("http.router.v3.Router") } }],
  };
  const filter_chains = [{ filters: [{ name: "hcm", typed_config: manager }] }];
  const endpoint = { endpoint: { address: address(upstream) } };
  const silent = { cluster_name: "silent", endpoints: [{ lb_endpoints: [endpoint] }] };
  return JSON.stringify({
    static_resources: {
      listeners: [{ name: "l", address: address(port), filter_chains }],
      clusters: [{ name: "silent", connect_timeout: "5s", load_assignment: silent }],
    },
  });
}

test("a process whose heap fills refuses requests, lives, and serves again when there is room", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "weft-memory-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const upstream = net.createServer((socket) => socket.on("error", () => {}).resume());
  await once(upstream.listen(0, "127.0.0.1"), "listening");
  t.after(() => upstream.close());
  const port = await freePort();
  const file = join(directory, "bootstrap.json");
  writeFileSync(file, bootstrap(port, (upstream.address() as AddressInfo).port));
  const flags = [`--max-old-space-size=${heapMegabytes}`];
  const child = spawn(process.execPath, [...flags, main, "proxy", "-c", file], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  t.after(() => child.kill("SIGKILL"));
  while (!/serving/.test(said)) {
    if (child.exitCode !== null) throw new Error(said);
    await Promise.race([once(child.stderr, "data"), once(child, "exit")]);
  }
  /** An abort of the runtime is a signal. */
  const assertAlive = () => assert.equal(child.exitCode ?? child.signalCode, null, said);

  const waiting: Socket[] = [];
  t.after(() => {
    for (const socket of waiting) socket.destroy();
  });
  /** A request, and what is said to it before its connection ends. */
  const open = (head: string): { readonly answer: Promise<string> } => {
    const socket = net.connect(port, "127.0.0.1");
    waiting.push(socket);
    socket.write(head);
    const answer = new Promise<string>((resolve) => {
      socket.once("data", (bytes) => resolve(String(bytes)));
      socket.on("error", () => resolve(""));
      socket.on("close", () => resolve(""));
    });
    return { answer };
  };
  const fields = Array.from({ length: 30 }, (_, i) => `x-${i}: ${"y".repeat(headBytes / 30)}\r\n`).join("");
  const big = `GET /silent HTTP/1.1\r\nhost: a\r\n${fields}\r\n`;
  let refusal = "";
  for (let i = 0; i < 1_000 && refusal === ""; i++) {
    void open(big).answer.then((answer) => {
      refusal ||= answer;
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    assertAlive();
  }
  assert.match(refusal, /^HTTP\/1\.1 503 .*envoy overloaded$/s, `after ${waiting.length} requests: ${said}`);
  assert.match(said, /overload action stop_accepting_requests begins/);
  assert.ok(waiting.length > 20, "there was room at first");

  for (const socket of waiting.splice(0)) socket.destroy();
  for (;;) {
    assertAlive();
    const { answer } = open("GET /ok HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    if ((await answer).startsWith("HTTP/1.1 200")) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});
