import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net, { type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, test } from "node:test";

const directory = mkdtempSync(join(tmpdir(), "weft-workers-"));
after(() => rmSync(directory, { recursive: true, force: true }));
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const main = join(import.meta.dirname, "..", "main.ts");

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** A response discovery file with one listener, answering `body`. */
function listeners(port: number, body: string): string {
  const hcm =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
  const routes = [
    { match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: body } } },
  ];
  return JSON.stringify({
    version_info: body,
    resources: [
      {
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        name: "l",
        address: { socket_address: { address: "127.0.0.1", port_value: port } },
        filter_chains: [
          {
            filters: [
              {
                name: "hcm",
                typed_config: {
                  "@type": hcm,
                  stat_prefix: "s",
                  route_config: { virtual_hosts: [{ name: "v", domains: ["*"], routes }] },
                  http_filters: [
                    {
                      name: "router",
                      typed_config: {
                        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                      },
                    },
                  ],
                },
              },
            ],
          },
        ],
      },
    ],
  });
}

async function start(concurrency: number): Promise<{
  readonly child: ChildProcess;
  readonly port: number;
  stats(filter: string): Promise<ReadonlyMap<string, number>>;
  replace(body: string): Promise<void>;
}> {
  const [port, admin] = [await freePort(), await freePort()];
  const lds = join(directory, `lds-${port}.json`);
  writeFileSync(lds, listeners(port, "first"));
  const bootstrap = join(directory, `bootstrap-${port}.json`);
  writeFileSync(
    bootstrap,
    JSON.stringify({
      node: { id: "n", cluster: "c" },
      admin: { address: { socket_address: { address: "127.0.0.1", port_value: admin } } },
      dynamic_resources: { lds_config: { path_config_source: { path: lds } } },
    }),
  );
  const args = ["proxy", "-c", bootstrap, "--concurrency", `${concurrency}`, "--drain-time-s", "1"];
  const child = spawn(process.execPath, [main, ...args], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  cleanups.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  });
  while (!/serving/.test(said)) {
    if (child.exitCode !== null) throw new Error(said);
    await Promise.race([once(child.stderr, "data"), once(child, "exit")]);
  }
  return {
    child,
    port,
    async stats(filter) {
      const text = await (await fetch(`http://127.0.0.1:${admin}/stats?filter=${filter}`)).text();
      return new Map(
        text
          .trim()
          .split("\n")
          .map((line) => [line.slice(0, line.indexOf(": ")), Number(line.slice(line.indexOf(": ") + 2))]),
      );
    },
    async replace(body) {
      const { renameSync } = await import("node:fs");
      writeFileSync(`${lds}.next`, listeners(port, body));
      renameSync(`${lds}.next`, lds);
    },
  };
}

/** The answer on a connection of its own, which stays open. */
async function ask(port: number): Promise<{ readonly socket: Socket; readonly body: string }> {
  const socket = net.connect(port, "127.0.0.1");
  cleanups.push(() => socket.destroy());
  socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  const [chunk] = (await once(socket, "data")) as [Buffer];
  return { socket, body: chunk.toString().split("\r\n\r\n")[1]! };
}

test("several workers serve one port with one configuration, and their statistics are one", async () => {
  const { child, port, stats, replace } = await start(3);
  const before = await Promise.all(Array.from({ length: 60 }, () => ask(port)));
  assert.deepEqual(new Set(before.map(({ body }) => body)), new Set(["first"]));
  const counted = await stats("downstream_(cx|rq)_(total|active)$");
  assert.equal(counted.get("http.s.downstream_rq_total"), 60);
  assert.equal(counted.get("http.s.downstream_cx_active"), 60);
  const perWorker = [0, 1, 2].map(
    (worker) => counted.get(`listener.127.0.0.1_${port}.worker_${worker}.downstream_cx_total`) ?? 0,
  );
  assert.equal(
    perWorker.reduce((sum, count) => sum + count),
    60,
  );
  assert.ok(perWorker.filter((count) => count > 0).length > 1, `one worker took all: ${perWorker}`);
  assert.equal((await stats("server.concurrency")).get("server.concurrency"), 3);

  await replace("second");
  const deadlineMs = performance.now() + 10_000;
  const answers = async () =>
    new Set((await Promise.all(Array.from({ length: 30 }, () => ask(port)))).map(({ body }) => body));
  while ([...(await answers())].join() !== "second") {
    assert.ok(performance.now() < deadlineMs, "not every worker has the new configuration");
  }
  for (const { socket } of before) socket.destroy();
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "exit"), [0, null]);
});
