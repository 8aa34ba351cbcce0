/**
 * Envoy as a sidecar beside Weft's own: whichever of the two stands at either
 * end of a call, the same series count it, with the same labels.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import http2 from "node:http2";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parsePrometheusText } from "../packages/agent/src/metrics/parse-prometheus-text.ts";
import type { RecalledRequest } from "../packages/control/src/api/observe-protocol.ts";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { LocalMesh } from "./local-mesh.ts";

const envoy = findPeer("envoy");
const kinds = ["weft", "envoy"] as const;
type Kind = (typeof kinds)[number];

const hosts = { caller: { weft: 1, envoy: 2 }, api: { weft: 3, envoy: 4 } } as const;
const idle = "setInterval(() => {}, 1000)";
const app = (address: string) => `
  require("http").createServer((request, response) => {
    response.setHeader("x-told", request.headers["x-envoy-peer-metadata"] ?? "nothing");
    response.statusCode = request.url === "/missing" ? 404 : 200;
    response.end("x".repeat(1000));
  }).listen(8080, ${JSON.stringify(address)});
  require("net").createServer((socket) => socket.pipe(socket)).listen(7000, ${JSON.stringify(address)});
  const message = Buffer.from([0, 0, 0, 0, 1, 65]);
  require("http2").createServer().on("stream", (stream) => {
    stream.respond({ "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.on("data", () => {});
    stream.on("end", () => stream.end(Buffer.concat([message, message, message])));
  }).listen(9000, ${JSON.stringify(address)});
  const say = (request, response) => response.end(request.httpVersion);
  const either = [require("http").createServer(say), require("http2").createServer(say)];
  require("net").createServer((socket) => socket.on("error", () => {}).once("data", (bytes) => {
    const isHttp2 = bytes.toString("latin1").startsWith("PRI");
    socket.pause();
    socket.unshift(bytes);
    either[isHttp2 ? 1 : 0].emit("connection", socket);
    if (!isHttp2) socket.resume();
  })).listen(8081, ${JSON.stringify(address)});
`;
/** By the DestinationRule of the service, and by the Sidecar of those who serve it. */
const followsClients = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: api-envoy }
spec:
  host: api-envoy
  trafficPolicy:
    portLevelSettings:
      - { port: { number: 8081 }, connectionPool: { http: { useClientProtocol: true } } }
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: api-weft }
spec:
  workloadSelector: { labels: { app: api-weft } }
  inboundConnectionPool: { http: { useClientProtocol: true } }
`;
const protocols = ["http", "grpc", "tcp"] as const;
type Protocol = (typeof protocols)[number];

/** How many calls were answered by their service, by pair and protocol. */
const answered = new Map<string, number>();
const keyOf = (...of: readonly [caller: Kind, callee: Kind, protocol: Protocol]) => of.join(" ");
function countAnswer(...of: Parameters<typeof keyOf>): void {
  answered.set(keyOf(...of), (answered.get(keyOf(...of)) ?? 0) + 1);
}

/** How many calls of a protocol are over and were answered by their service, as totals have it. */
function ended(totals: ReadonlyMap<string, number>, protocol: Protocol): number {
  const wanted = protocol === "tcp" ? "istio_tcp_connections_closed_total" : "istio_requests_total";
  let sum = 0;
  for (const [key, value] of totals) {
    const [name, text] = key.split(/ (.*)/s);
    if (name !== wanted) continue;
    const labels: Record<string, string> = JSON.parse(text!);
    if (labels.request_protocol === protocol && labels.response_flags === "-") sum += value;
  }
  return sum;
}

const proxyFlags = (kind: Kind) => (kind === "envoy" ? ["--proxy", "envoy", "--envoy-path", envoy!] : []);
const httpPort = (callee: Kind) => (callee === "weft" ? 20000 : 20001);
const tcpPort = (callee: Kind) => (callee === "weft" ? 20002 : 20003);
const grpcPort = (callee: Kind) => (callee === "weft" ? 20004 : 20005);
const eitherPort = (callee: Kind) => (callee === "weft" ? 20006 : 20007);

describe("real Envoy as a sidecar", {
  skip: envoy ? false : "no envoy on PATH, in WEFT_PEERS or ~/.cache/weft/peers",
}, () => {
  let mesh: LocalMesh;

  before(async () => {
    mesh = await LocalMesh.start();
    for (const kind of kinds) {
      const [caller, api] = [mesh.addressOf(hosts.caller[kind]), mesh.addressOf(hosts.api[kind])];
      const ports = ["--port", "8080:http", "--inbound-port", "8080=18080"];
      ports.push("--port", "7000:tcp", "--inbound-port", "7000=17000");
      ports.push("--port", "9000:grpc", "--inbound-port", "9000=19000");
      ports.push("--port", "8081:http", "--inbound-port", "8081=18081");
      await mesh.run(
        `api-${kind}`,
        hosts.api[kind],
        [...ports, ...proxyFlags(kind)],
        [process.execPath, "-e", app(api)],
      );
      const upstreams = kinds.flatMap((callee) => [
        ...["--upstream", `api-${callee}:8080=${caller}:${httpPort(callee)}`],
        ...["--upstream", `api-${callee}:7000=${caller}:${tcpPort(callee)}`],
        ...["--upstream", `api-${callee}:9000=${caller}:${grpcPort(callee)}`],
        ...["--upstream", `api-${callee}:8081=${caller}:${eitherPort(callee)}`],
      ]);
      await mesh.run(
        `caller-${kind}`,
        hosts.caller[kind],
        [...upstreams, ...proxyFlags(kind)],
        [process.execPath, "-e", idle],
      );
    }
    for (const caller of kinds) {
      for (const callee of kinds) {
        await mesh.until(`${caller} reaches ${callee}`, () => isServed(caller, callee));
      }
    }
  });
  after(() => mesh?.close());

  function url(caller: Kind, callee: Kind, path = "/"): string {
    return `http://${mesh.addressOf(hosts.caller[caller])}:${httpPort(callee)}${path}`;
  }

  async function isServed(caller: Kind, callee: Kind): Promise<boolean> {
    const http = (await get(caller, callee).catch(() => 0)) === 200;
    const grpc = await callGrpc(caller, callee, 1).catch(() => 0);
    return http && grpc > 0 && (await echo(caller, callee, 1).catch(() => 0)) === 1;
  }

  async function get(caller: Kind, callee: Kind, path = "/"): Promise<number> {
    const response = await fetch(url(caller, callee, path));
    await response.arrayBuffer();
    if (response.status !== 503) countAnswer(caller, callee, "http");
    return response.status;
  }

  /** The HTTP version in which the application was spoken to. */
  async function versionSeen(caller: Kind, callee: Kind, version: "1.1" | "2.0"): Promise<string> {
    const origin = `http://${mesh.addressOf(hosts.caller[caller])}:${eitherPort(callee)}`;
    if (version === "1.1") return await (await fetch(origin)).text();
    const client = http2.connect(origin);
    const failed = once(client, "error").then(([error]) => Promise.reject(error));
    failed.catch(() => {});
    try {
      const received = client.request({ ":path": "/" }).toArray();
      return Buffer.concat(await Promise.race([received, failed])).toString();
    } finally {
      client.close();
    }
  }

  /** Sends so many messages; bytes that came back, of three. */
  async function callGrpc(caller: Kind, callee: Kind, messages: number): Promise<number> {
    const client = http2.connect(`http://${mesh.addressOf(hosts.caller[caller])}:${grpcPort(callee)}`);
    const failed = once(client, "error").then(([error]) => Promise.reject(error));
    failed.catch(() => {});
    const headers = { ":method": "POST", ":path": "/shop.Cart/Add", "content-type": "application/grpc" };
    try {
      const stream = client.request({ ...headers, te: "trailers" });
      stream.end(Buffer.concat(new Array(messages).fill(Buffer.from([0, 0, 0, 0, 2, 65, 66]))));
      const received = stream.toArray().then((chunks) => Buffer.concat(chunks).length);
      const bytes = await Promise.race([received, failed]);
      if (bytes > 0) countAnswer(caller, callee, "grpc");
      return bytes;
    } finally {
      client.close();
    }
  }

  /** Bytes that came back over one connection. */
  function echo(caller: Kind, callee: Kind, size: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const socket = connect(tcpPort(callee), mesh.addressOf(hosts.caller[caller]));
      let received = 0;
      socket.on("error", reject);
      socket.on("data", (chunk) => {
        received += chunk.length;
        if (received === size) socket.end();
      });
      socket.on("close", () => {
        if (received === size) countAnswer(caller, callee, "tcp");
        resolve(received);
      });
      socket.write(Buffer.alloc(size, 7));
    });
  }

  /** Totals by series, of one sidecar's counters of one pair; which kind is which is left out of the labels. */
  async function totals(side: "caller" | "api", caller: Kind, callee: Kind): Promise<Map<string, number>> {
    const host = side === "caller" ? hosts.caller[caller] : hosts.api[callee];
    const response = await fetch(`http://${mesh.addressOf(host)}:15090/stats/prometheus`);
    const found = new Map<string, number>();
    for (const { name, series } of parsePrometheusText(await response.text(), (n) =>
      n.startsWith("istio_"),
    )) {
      for (const { labels, value, histogram } of series) {
        const isPair =
          labels.source_workload === `caller-${caller}` &&
          labels.destination_service_name === `api-${callee}`;
        const isTcpPair =
          labels.request_protocol === "tcp" &&
          (labels.destination_principal?.endsWith(`/api-${callee}`) ?? false) &&
          (labels.source_principal?.endsWith(`/caller-${caller}`) ?? false);
        if (!isPair && !isTcpPair) continue;
        const text = JSON.stringify(labels).replaceAll(/-(weft|envoy)\b/g, "");
        found.set(`${name} ${text}`, histogram ? histogram.count : value);
        if (name === "istio_response_bytes") found.set(`${name}_sum ${text}`, histogram!.sum);
      }
    }
    return found;
  }

  /** Waits until a sidecar has counted every call of the pair that was answered, and says what it has counted. */
  async function counted(side: "caller" | "api", caller: Kind, callee: Kind): Promise<Map<string, number>> {
    let now = new Map<string, number>();
    await mesh.until(`the ${side} has counted what ${caller} called of ${callee}`, async () => {
      now = await totals(side, caller, callee);
      return protocols.every(
        (protocol) => ended(now, protocol) === answered.get(keyOf(caller, callee, protocol)),
      );
    });
    return now;
  }

  /** What the calls of this test added. */
  async function growth(
    side: "caller" | "api",
    caller: Kind,
    callee: Kind,
    run: () => Promise<void>,
  ): Promise<Record<string, number>> {
    const before = await counted(side, caller, callee);
    await run();
    const grown = [...(await counted(side, caller, callee))].map(
      ([key, value]) => [key, value - (before.get(key) ?? 0)] as const,
    );
    return Object.fromEntries(grown.filter(([, value]) => value !== 0).sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  for (const side of ["caller", "api"] as const) {
    test(`the ${side}'s sidecar counts the same calls alike, whichever it is`, async () => {
      const seen: Record<string, Record<string, number>> = {};
      for (const caller of kinds) {
        for (const callee of kinds) {
          seen[`${caller} calls ${callee}`] = await growth(side, caller, callee, async () => {
            for (let i = 0; i < 7; i += 1) assert.equal(await get(caller, callee), 200);
            for (let i = 0; i < 3; i += 1) assert.equal(await get(caller, callee, "/missing"), 404);
            assert.equal(await echo(caller, callee, 5_000), 5_000);
            for (let i = 0; i < 3; i += 1) assert.equal(await callGrpc(caller, callee, 4), 18);
          });
        }
      }
      const reference = seen["weft calls weft"]!;
      assert.ok(Object.keys(reference).length >= 12, `few series: ${JSON.stringify(reference)}`);
      for (const [pair, counted] of Object.entries(seen)) assert.deepEqual(counted, reference, pair);
      const messages = Object.entries(reference).filter(([series]) => series.includes("_messages_total"));
      assert.deepEqual(
        messages.map(([series, count]) => [series.split(" ")[0], count]),
        [
          ["istio_request_messages_total", 12],
          ["istio_response_messages_total", 9],
        ],
      );
    });
  }

  test("weft stat shows services behind Envoy, and who called them", async () => {
    for (const callee of kinds) {
      await mesh.until(`${callee} is shown`, async () => {
        await (await fetch(url("envoy", callee))).text();
        const { stdout } = await mesh.weft("stat", `api-${callee}`, "-o", "json");
        const [row] = JSON.parse(stdout).rows;
        return (
          row?.requestsPerSecond > 0 && row.securedRate === 1 && String(row.peers).includes("caller-envoy")
        );
      });
    }
  });

  test("an application never sees what sidecars tell each other, nor speaks for its own", async () => {
    for (const caller of kinds) {
      const forged = { "x-envoy-peer-metadata": "Zm9yZ2Vk", "x-envoy-peer-metadata-id": "forged" };
      const response = await fetch(url(caller, "envoy"), { headers: forged });
      assert.equal(response.headers.get("x-told"), "nothing", caller);
      const counted = await totals("api", caller, "envoy");
      assert.ok([...counted.keys()].every((key) => !key.includes("forged")));
    }
  });

  test("an application sees the version its client speaks, where it is to", async () => {
    const pairs = kinds.flatMap((caller) => kinds.map((callee) => [caller, callee] as const));
    for (const [caller, callee] of pairs) {
      await mesh.until(`${caller} reaches ${callee} at the port`, async () => {
        const seen = await versionSeen(caller, callee, "2.0").catch(() => "");
        return seen === "1.1";
      });
    }
    const file = join(mesh.state, "follows-clients.yaml");
    writeFileSync(file, followsClients);
    const { code, stderr } = await mesh.weft("apply", "-f", file);
    assert.equal(code, 0, stderr);
    for (const [caller, callee] of pairs) {
      for (const version of ["2.0", "1.1"] as const) {
        await mesh.until(`${callee} sees that ${caller} was asked by ${version}`, async () => {
          const seen = await versionSeen(caller, callee, version).catch(() => "");
          return seen === version;
        });
      }
    }
  });

  test("weft logs shows what Envoy logs, as it shows what the sidecar does", async () => {
    let rows: RecalledRequest[] = [];
    await mesh.until("all four data planes have shown it", async () => {
      for (const address of [url("envoy", "weft"), url("weft", "envoy")]) {
        await (await fetch(`${address}missing?token=x`)).arrayBuffer();
      }
      const { stdout } = await mesh.weft("logs", "--path", "/missing", "-o", "json");
      rows = stdout
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line) as RecalledRequest)
        .filter(({ request }) => request.path.includes("token"));
      return new Set(rows.map(({ workload }) => workload)).size === 4;
    });
    for (const side of ["caller-envoy", "api-envoy"]) {
      const { request } = rows.find(({ workload }) => workload.startsWith(side))!;
      const weft = rows.find(({ workload }) => workload.startsWith(side.replace("envoy", "weft")))!.request;
      const told = (one: typeof request) => ({
        method: one.method,
        path: one.path,
        protocol: one.protocol === "" ? "" : "HTTP",
        direction: one.direction,
        details: one.details,
        source: one.source?.workload.replace(/-(weft|envoy)/, ""),
        destination: one.destination?.workload.replace(/-(weft|envoy)/, ""),
        isMutualTls: one.isMutualTls,
        bytesSent: one.bytesSent,
        route: one.route,
      });
      assert.deepEqual(told(request), told(weft));
      assert.equal(request.path, "/missing?token=***");
    }
  });
});
