import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { parsePrometheusText } from "../packages/agent/src/metrics/parse-prometheus-text.ts";
import { LocalMesh } from "./local-mesh.ts";

const echo = (address: string) =>
  `require("net").createServer((socket) => socket.pipe(socket)).listen(7000, ${JSON.stringify(address)})`;
const idle = "setInterval(() => {}, 1000)";

let mesh: LocalMesh;
before(async () => {
  mesh = await LocalMesh.start();
});
after(() => mesh.close());

/** What one sidecar counted of its TCP connections with the echo service, by short metric name. */
async function counted(host: number, reporter: string): Promise<Record<string, number>> {
  const response = await fetch(`http://${mesh.addressOf(host)}:15090/stats/prometheus`);
  const totals: Record<string, number> = {};
  for (const { name, series } of parsePrometheusText(await response.text(), (n) =>
    n.startsWith("istio_tcp_"),
  )) {
    const own = series.filter(
      ({ labels }) =>
        labels.reporter === reporter &&
        labels.destination_service === "echo.default.svc.cluster.local" &&
        labels.source_principal === "spiffe://cluster.local/ns/default/sa/caller" &&
        labels.destination_principal === "spiffe://cluster.local/ns/default/sa/echo",
    );
    totals[name.slice("istio_tcp_".length)] = own.reduce((sum, { value }) => sum + value, 0);
  }
  return totals;
}

/** A connection on which `size` bytes have come back; it stays open. */
function call(size: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(20000, mesh.addressOf(1));
    let received = 0;
    socket.on("error", reject);
    socket.on("close", () => reject(new Error(`closed after ${received} of ${size} bytes`)));
    socket.on("data", (chunk) => {
      received += chunk.length;
      if (received === size) resolve(socket);
    });
    socket.write(Buffer.alloc(size, 7));
  });
}

async function isServed(): Promise<boolean> {
  try {
    (await call(1)).destroy();
    return true;
  } catch {
    return false;
  }
}

test("connections and bytes of a TCP service are counted alike by both sidecars, and shown by weft stat", async () => {
  const upstream = `echo:7000=${mesh.addressOf(1)}:20000`;
  await mesh.run(
    "echo",
    2,
    ["--port", "7000:tcp", "--inbound-port", "7000=17000"],
    [process.execPath, "-e", echo(mesh.addressOf(2))],
  );
  await mesh.run("caller", 1, ["--upstream", upstream], [process.execPath, "-e", idle]);
  await mesh.until("the echo service answers", isServed);
  await mesh.until("what was tried before is counted as over", async () => {
    const both = await Promise.all([counted(1, "source"), counted(2, "destination")]);
    return both.every(
      ({ connections_opened_total: opened, connections_closed_total: closed }) =>
        opened !== undefined && opened === closed,
    );
  });
  const before = { source: await counted(1, "source"), destination: await counted(2, "destination") };
  const sizes = [1, 1_000, 200_000];
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const sockets = await Promise.all(sizes.map(call));
  sockets[0]!.end();
  for (const [host, reporter] of [
    [1, "source"],
    [2, "destination"],
  ] as const) {
    const growth = async () => {
      const now = await counted(host, reporter);
      return Object.fromEntries(
        Object.entries(now).map(([name, n]) => [name, n - (before[reporter][name] ?? 0)]),
      );
    };
    await mesh.until(`${reporter}: three are counted, and that one has ended`, async () => {
      const { connections_opened_total: opened, connections_closed_total: closed } = await growth();
      return opened === 3 && closed === 1;
    });
    await mesh.until(`${reporter}: bytes are counted while two are open`, async () => {
      const { received_bytes_total: received, sent_bytes_total: sent } = await growth();
      return received === total && sent === total;
    });
    assert.equal((await growth()).connections_closed_total, 1, reporter);
  }
  await mesh.until("weft stat shows the two that are open", async () => {
    const { stdout } = await mesh.weft("stat", "echo", "-o", "json");
    return JSON.parse(stdout).rows[0]?.tcpConnections === 2;
  });
  for (const socket of sockets) socket.end();
  await mesh.until("what was counted before is not counted again when they are over", async () => {
    const both = await Promise.all([counted(1, "source"), counted(2, "destination")]);
    return both.every(
      (now, i) =>
        now.connections_closed_total! - before[i ? "destination" : "source"].connections_closed_total! ===
          3 && now.sent_bytes_total! - before[i ? "destination" : "source"].sent_bytes_total! === total,
    );
  });
});
