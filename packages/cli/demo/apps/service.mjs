// What the Node services of the demo share: a plain HTTP server and a plain HTTP
// call. Nothing here knows of a mesh; services are reached by name.
import http from "node:http";
import net from "node:net";

/** What routes decide by; the context of traces is forwarded by `weft run --trace-node`. */
const forwarded = ["end-user", "user-agent"];

/** Serves `routes` (path prefix → handler returning [status, object]) and logs one line for each request. */
export function serve(name, routes) {
  const host = process.env.HOST ?? "0.0.0.0";
  const port = Number(process.env.PORT ?? 9080);
  const server = http.createServer(async (request, response) => {
    console.log(`${request.method} ${request.url}`);
    const prefix = Object.keys(routes).find((path) => request.url.startsWith(path));
    const [status, body] = prefix
      ? await routes[prefix](request)
      : [404, { error: `${name} has no ${request.url}` }];
    const bytes = Buffer.from(JSON.stringify(body));
    response.writeHead(status, { "content-type": "application/json", "content-length": bytes.length });
    response.end(bytes);
  });
  server.keepAliveTimeout = 60_000;
  server.listen(port, host, () => console.log(`${name} listens on ${host}:${port}`));
  process.on("SIGTERM", () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}

/** Answers each line that comes over TCP with another. */
export function serveLines(port, answer) {
  const server = net.createServer((socket) => {
    let rest = "";
    socket.setEncoding("utf8");
    socket.on("error", () => socket.destroy());
    socket.on("data", (text) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop();
      for (const line of lines) socket.write(`${answer(line)}\n`);
    });
  });
  server.listen(port, process.env.HOST ?? "0.0.0.0");
}

/** Sends one line over TCP and ends the connection with the answer; nobody hears of a failure. */
export function sendLine(service, port, line) {
  const prefix = service.toUpperCase().replaceAll("-", "_");
  const socket = net.connect({
    host: process.env[`${prefix}_PORT_${port}_TCP_ADDR`] ?? service,
    port: Number(process.env[`${prefix}_PORT_${port}_TCP_PORT`] ?? port),
  });
  socket.on("error", () => socket.destroy());
  socket.once("data", () => socket.end());
  socket.write(`${line}\n`);
}

/**
 * Calls another service by its name and returns `{status, body}`; status 0 is a
 * call that got no answer. `REVIEWS_SERVICE_HOST` and `REVIEWS_SERVICE_PORT`, as
 * Kubernetes sets them, point elsewhere.
 */
export function call(service, path, request, timeoutMs = 10_000) {
  const prefix = service.toUpperCase().replaceAll("-", "_");
  const headers = { accept: "application/json" };
  for (const name of forwarded) if (request?.headers[name]) headers[name] = request.headers[name];
  return new Promise((resolve) => {
    const outgoing = http.get(
      {
        host: process.env[`${prefix}_SERVICE_HOST`] ?? service,
        port: Number(process.env[`${prefix}_SERVICE_PORT`] ?? 9080),
        path,
        headers,
        agent,
        timeout: timeoutMs,
      },
      (incoming) => {
        const chunks = [];
        incoming.on("data", (chunk) => chunks.push(chunk));
        incoming.on("error", (error) => resolve({ status: 0, body: { error: error.message } }));
        incoming.on("end", () => {
          const text = Buffer.concat(chunks).toString();
          try {
            resolve({ status: incoming.statusCode, body: JSON.parse(text) });
          } catch {
            resolve({ status: incoming.statusCode, body: { error: text } });
          }
        });
      },
    );
    outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    outgoing.on("error", (error) => resolve({ status: 0, body: { error: error.message } }));
  });
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
