import assert from "node:assert/strict";
import http from "node:http";
import http2 from "node:http2";
import net, { type AddressInfo, type Server } from "node:net";
import { after, before, describe, it } from "node:test";
import { type Both, type SideBySide, startSideBySide, withEnvoy } from "./side-by-side-fixture.ts";

/** What a client got: the status, and what came back for "ping" once the protocol was switched. */
interface Outcome {
  readonly status: number;
  readonly echoed: string;
  /** What the answer says of the protocol switched to. */
  readonly upgrade: string | undefined;
}

type Client = (port: number) => Promise<Outcome>;

/** Asks by HTTP/1.1, and sends "ping" together with the request where `isEager`. */
function byHttp1(head: string, isEager = false): Client {
  return (port) =>
    new Promise((resolve, reject) => {
      const socket = net.connect(port, "127.0.0.1");
      let text = "";
      const done = () => {
        socket.destroy();
        const at = text.indexOf("\r\n\r\n");
        const status = Number(/^HTTP\/1.1 (\d+)/.exec(text)?.[1] ?? 0);
        const upgrade = /\r\nupgrade: (.*?)\r\n/i.exec(text.slice(0, at + 2))?.[1];
        resolve({ status, echoed: status < 300 ? text.slice(at + 4) : "", upgrade });
      };
      socket.on("error", reject);
      socket.on("data", (chunk) => {
        text += chunk.toString("latin1");
        if (/^HTTP\/1.1 [3-5]/.test(text) && text.includes("\r\n\r\n")) done();
        else if (text.endsWith("ping")) done();
        else if (text.endsWith("\r\n\r\n") && !isEager) socket.write("ping");
      });
      socket.on("close", done);
      socket.write(`${head}\r\n\r\n${isEager ? "ping" : ""}`);
    });
}

function byHttp2(headers: http2.OutgoingHttpHeaders): Client {
  return (port) =>
    new Promise((resolve, reject) => {
      const session = http2.connect(`http://127.0.0.1:${port}`);
      session.on("error", reject);
      session.once("remoteSettings", ({ enableConnectProtocol }) => {
        if (headers[":protocol"] !== undefined) assert.equal(enableConnectProtocol, true);
        const stream = session.request(headers, { endStream: false });
        let status = 0;
        let text = "";
        const done = () => {
          session.destroy();
          resolve({ status, echoed: status < 300 ? text : "", upgrade: undefined });
        };
        stream.on("error", () => {});
        stream.on("response", (head) => {
          status = head[":status"]!;
          if (status < 300) stream.write("ping");
        });
        stream.on("data", (chunk: Buffer) => {
          text += chunk.toString("latin1");
          if (text === "ping") done();
        });
        stream.on("close", done);
      });
    });
}

const websocket = (path: string) =>
  `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13`;
const extended = (path: string) => ({
  ":method": "CONNECT",
  ":protocol": "websocket",
  ":scheme": "http",
  ":authority": "x",
  ":path": path,
});
const connect = (authority: string) => `CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}`;
const switched = { status: 101, echoed: "ping", upgrade: "websocket" };
const tunnelled = { status: 200, echoed: "ping", upgrade: undefined };
const refused = { status: 403, echoed: "", upgrade: undefined };

const cases: readonly (readonly [what: string, ask: Client, expected: Outcome])[] = [
  ["WebSocket, HTTP/1.1 to HTTP/1.1", byHttp1(websocket("/h1")), switched],
  ["WebSocket, HTTP/1.1 to HTTP/2", byHttp1(websocket("/h2")), switched],
  ["WebSocket, HTTP/2 to HTTP/1.1", byHttp2(extended("/h1")), tunnelled],
  ["WebSocket, HTTP/2 to HTTP/2", byHttp2(extended("/h2")), tunnelled],
  ["WebSocket, data with the request", byHttp1(websocket("/h1"), true), switched],
  ["WebSocket where the route forbids it", byHttp1(websocket("/never")), refused],
  ["WebSocket where the route forbids it, HTTP/2", byHttp2(extended("/never")), refused],
  [
    "a protocol only the route allows",
    byHttp1(websocket("/echo").replace("websocket", "echo")),
    { ...switched, upgrade: "echo" },
  ],
  ["a protocol nobody allows", byHttp1(websocket("/h1").replace("websocket", "echo")), refused],
  [
    "WebSocket refused by the upstream",
    byHttp1(websocket("/h1/no")),
    { status: 404, echoed: "", upgrade: undefined },
  ],
  [
    "WebSocket refused by the upstream, HTTP/2",
    byHttp2(extended("/h1/no")),
    { status: 404, echoed: "", upgrade: undefined },
  ],
  [
    "WebSocket to an HTTP/2 server that does not take it",
    byHttp1(websocket("/old")),
    { status: 502, echoed: "", upgrade: undefined },
  ],
  ["CONNECT that ends in the proxy", byHttp1(connect("ends.test:1")), tunnelled],
  [
    "CONNECT that ends in the proxy, HTTP/2",
    byHttp2({ ":method": "CONNECT", ":authority": "ends.test:1" }),
    tunnelled,
  ],
  ["CONNECT passed on to HTTP/1.1", byHttp1(connect("passes.test:1")), tunnelled],
  ["CONNECT passed on to HTTP/2", byHttp1(connect("h2.test:1")), tunnelled],
  [
    "CONNECT by HTTP/2 passed on to HTTP/1.1",
    byHttp2({ ":method": "CONNECT", ":authority": "passes.test:1" }),
    tunnelled,
  ],
  ["CONNECT to nobody", byHttp1(connect("dead.test:1")), { status: 503, echoed: "", upgrade: undefined }],
  ["CONNECT where it is not allowed", byHttp1(connect("other.test:1")), refused],
];

function startHttp1(): Server {
  const server = http.createServer((_request, response) => response.writeHead(404).end("no"));
  server.on("upgrade", (request, socket) => {
    if (request.url!.endsWith("/no")) {
      socket.end("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
      return;
    }
    const { upgrade } = request.headers;
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${upgrade}\r\n\r\n`);
    socket.pipe(socket);
  });
  server.on("connect", (_request, socket) => {
    socket.write("HTTP/1.1 200 OK\r\n\r\n");
    socket.pipe(socket);
  });
  return server;
}

function startHttp2(enableConnectProtocol: boolean): Server {
  const server = http2.createServer({ settings: { enableConnectProtocol } });
  server.on("sessionError", () => {});
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    if (headers[":method"] === "CONNECT") {
      stream.respond({ ":status": 200 });
      stream.pipe(stream);
    } else stream.respond({ ":status": 404 }, { endStream: true });
  });
  return server;
}

const toConnect = (authority: string, cluster: string, config = "") => `
- match: { connect_matcher: {}, headers: [{ name: ":authority", string_match: { exact: "${authority}" } }] }
  route: { cluster: ${cluster}, upgrade_configs: [{ upgrade_type: CONNECT${config} }] }`;

const cluster = (name: string, port: number, more = "") => `
- name: ${name}
  connect_timeout: 1s
${more}
  load_assignment:
    cluster_name: ${name}
    endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } } }] }]`;

const speaksHttp2 = `  typed_extension_protocol_options:
    envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
      "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
      explicit_http_config: { http2_protocol_options: { allow_connect: true } }`;

describe("protocols switched to, as Envoy does it", withEnvoy, () => {
  let both: SideBySide;
  const servers: Server[] = [];

  before(async () => {
    const start = async (server: Server) => {
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      return (server.address() as AddressInfo).port;
    };
    const http1 = await start(startHttp1());
    const http2Port = await start(startHttp2(true));
    const oldPort = await start(startHttp2(false));
    const echo = await start(net.createServer((socket) => socket.on("error", () => {}).pipe(socket)));
    const dead = await start(net.createServer());
    servers.pop()!.close();
    both = await startSideBySide({
      filters: "",
      manager:
        "http2_protocol_options: { allow_connect: true }\nupgrade_configs: [{ upgrade_type: websocket }]",
      routes: `
${toConnect("ends.test:1", "echo", ", connect_config: {}")}
${toConnect("dead.test:1", "dead", ", connect_config: {}")}
${toConnect("passes.test:1", "http1")}
${toConnect("h2.test:1", "http2")}
- match: { connect_matcher: {} }
  route: { cluster: http1 }
- match: { prefix: /never }
  route: { cluster: http1, upgrade_configs: [{ upgrade_type: websocket, enabled: false }] }
- match: { prefix: /echo }
  route: { cluster: http1, upgrade_configs: [{ upgrade_type: echo }] }
- match: { prefix: /h1 }
  route: { cluster: http1 }
- match: { prefix: /h2 }
  route: { cluster: http2 }
- match: { prefix: /old }
  route: { cluster: old }`,
      clusters: [
        cluster("http1", http1),
        cluster("http2", http2Port, speaksHttp2),
        cluster("old", oldPort, speaksHttp2),
        cluster("echo", echo),
        cluster("dead", dead),
      ].join(""),
    });
  });

  after(async () => {
    await both?.close();
    for (const server of servers) {
      (server as http.Server).closeAllConnections?.();
      server.close();
    }
  });

  for (const [what, ask, expected] of cases) {
    it(what, async () => {
      const got: Both<Outcome> = { envoy: await ask(both.ports.envoy), weft: await ask(both.ports.weft) };
      assert.deepEqual(got, { envoy: expected, weft: expected });
    });
  }
});
