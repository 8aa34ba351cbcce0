// What the Node services of the demo share: a plain HTTP server and a plain HTTP
// call. Nothing here knows of a mesh; services are reached by name.
import http from "node:http";

const forwarded = ["x-request-id", "traceparent", "tracestate", "end-user", "user-agent"];

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
