import { createServer as createHttp1, type Server } from "node:http";
import { createServer as createHttp2, type Http2Server } from "node:http2";
import type { Duplex } from "node:stream";

/** Says how the tunnel was asked for, then all it hears. */
function serve(stream: Duplex, asked: readonly unknown[]): void {
  stream.on("error", () => {});
  stream.write(`[${asked.join(" ")}] `);
  stream.on("data", (bytes: Buffer) => stream.write(bytes));
  stream.on("end", () => stream.end(" bye"));
}

/** An HTTP/1.1 proxy that ends tunnels by CONNECT and by POST, and refuses those to `refused.example`. */
export function createTunnelServer1(): Server {
  const server = createHttp1((request, response) => {
    response.writeHead(200);
    response.flushHeaders();
    response.write(`[POST ${request.url} ${request.headers.host} ${request.headers["x-tunnel"]}] `);
    request.on("data", (bytes: Buffer) => response.write(bytes));
    request.on("end", () => response.end(" bye"));
  });
  server.on("connect", ({ url, headers }, socket) => {
    if (url?.startsWith("refused.example")) {
      socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
      return;
    }
    socket.write("HTTP/1.1 200 OK\r\n\r\n");
    serve(socket, ["CONNECT", url, headers.host, headers["x-tunnel"]]);
  });
  return server;
}

/** The same over HTTP/2. */
export function createTunnelServer2(): Http2Server {
  const server = createHttp2();
  server.on("stream", (stream, headers) => {
    if (String(headers[":authority"]).startsWith("refused.example")) {
      stream.respond({ ":status": 403 }, { endStream: true });
      return;
    }
    stream.respond({ ":status": 200 });
    serve(
      stream,
      [":method", ":path", ":authority", "x-tunnel"].map((name) => headers[name] ?? "-"),
    );
  });
  return server;
}
