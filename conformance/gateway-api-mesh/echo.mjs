// The workload of the conformance tests: answers requests with what it got of
// them, and makes requests itself when it is asked to on its Unix socket. Knows
// nothing of a mesh.
//   node echo.mjs POD NAMESPACE CONTROL_SOCKET
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";

const [pod, namespace, socketPath] = process.argv.slice(2);

function answer(request, proto) {
  const headers = {};
  for (const [name, values] of Object.entries(request.headersDistinct ?? request.headers)) {
    if (!name.startsWith(":")) headers[name] = [values].flat();
  }
  const host = request.headers[":authority"] ?? request.headers.host;
  const path = request.headers[":path"] ?? request.url;
  return { path, host, method: request.method, proto, headers, namespace, pod };
}

/** How often each path was asked for. */
const seen = new Map();

/** Below /check it decides about others' requests, and says who asked. */
function verdict({ url, headers }) {
  if (url.startsWith("/check-fails")) return { status: 500, headers: {} };
  const isAllowed = [headers.authorization, headers["x-token"]].includes("letmein");
  const [, caller = "nobody"] = /URI=([^;,]+)/.exec(headers["x-forwarded-client-cert"] ?? "") ?? [];
  return { status: isAllowed ? 200 : 401, headers: { "x-allowed": "yes", "x-asked-by": caller } };
}

/** `x-echo-delay` asks for an answer after so many milliseconds, `x-echo-fail` for this status twice out of three times. */
http
  .createServer((request, response) => {
    request.resume();
    const count = (seen.get(request.url) ?? 0) + 1;
    seen.set(request.url, count);
    const fails = request.headers["x-echo-fail"] !== undefined && count % 3 !== 0;
    const said = request.url.startsWith("/check") ? verdict(request) : undefined;
    const status = said?.status ?? (fails ? Number(request.headers["x-echo-fail"]) : 200);
    const body = JSON.stringify(answer(request, `HTTP/${request.httpVersion}`));
    setTimeout(
      () => {
        response.writeHead(status, { "content-type": "application/json", ...said?.headers });
        response.end(body);
      },
      Number(request.headers["x-echo-delay"] ?? 0),
    );
  })
  .listen(8080);

/** A message of gRPC is a flag, its length, and bytes. */
function frame(bytes) {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** Of Envoy's authorization protocol: status OK, or PERMISSION_DENIED. */
function checkResponse(request) {
  return Buffer.from(request.includes("letmein") ? [0x0a, 0] : [0x0a, 2, 8, 7]);
}

http2
  .createServer()
  .on("stream", (stream, headers) => {
    stream.on("error", () => {});
    const received = [];
    stream.on("data", (chunk) => received.push(chunk));
    stream.on("end", () => {
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      const isAsked = headers[":path"] === "/envoy.service.auth.v3.Authorization/Check";
      const bytes = isAsked
        ? checkResponse(Buffer.concat(received))
        : Buffer.from(JSON.stringify(answer({ headers, method: headers[":method"] }, "HTTP/2.0")));
      stream.end(frame(bytes));
    });
  })
  .listen(7070);

/** Says who it is, and ends. */
net
  .createServer((socket) => {
    socket.on("error", () => {});
    socket.end(JSON.stringify({ pod, namespace }));
  })
  .listen(9090);

/** One request as it was asked for: `{url, method, headers}`. Never follows a redirect. */
function request({ url, method = "GET", headers = {} }) {
  const { hostname, port } = new URL(url);
  const path = url.slice(url.indexOf("/", "http://".length)) || "/";
  return new Promise((resolve, reject) => {
    const options = { host: hostname, port: port || 80, path, method, headers, agent: false, timeout: 5_000 };
    const outgoing = http.request(options, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => {
        const body = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode, headers: response.headers, body });
      });
      response.on("error", reject);
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error("no answer within 5 s")));
    outgoing.on("error", reject);
    outgoing.end();
  });
}

const echoMethod = "/gateway_api_conformance.echo_basic.grpcecho.GrpcEcho/Echo";

/** One unary call. Status 200 is gRPC's OK. */
function call({ url, headers = {} }) {
  return new Promise((resolve, reject) => {
    const session = http2.connect(url.replace("grpc:", "http:"));
    session.on("error", reject);
    const stream = session.request({
      ...headers,
      ":method": "POST",
      ":path": echoMethod,
      "content-type": "application/grpc",
      te: "trailers",
    });
    let answered = {};
    let trailers = {};
    const chunks = [];
    stream.on("response", (got) => {
      answered = got;
    });
    stream.on("trailers", (got) => {
      trailers = got;
    });
    stream.on("data", (chunk) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("end", () => {
      session.close();
      const code = Number(trailers["grpc-status"] ?? answered["grpc-status"] ?? 2);
      const body = Buffer.concat(chunks).subarray(5).toString();
      resolve({ status: code === 0 ? answered[":status"] : code, headers: answered, body });
    });
    stream.end(Buffer.alloc(5));
  });
}

/** What a server says of itself over a connection. */
function connect({ url }) {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = net.connect(Number(port), hostname);
    let body = "";
    socket.setTimeout(5_000, () => socket.destroy(new Error("no answer within 5 s")));
    socket.on("data", (chunk) => {
      body += chunk;
    });
    socket.on("error", reject);
    socket.on("end", () => {
      socket.end();
      resolve({ status: 200, headers: {}, body });
    });
  });
}

const clients = { "http:": request, "grpc:": call, "tcp:": connect };

http
  .createServer(async (asked, reply) => {
    let text = "";
    for await (const chunk of asked) text += chunk;
    const order = JSON.parse(text);
    if (order.seen !== undefined) {
      reply.end(JSON.stringify([{ status: seen.get(order.seen) ?? 0 }]));
      return;
    }
    const answers = [];
    for (let i = 0; i < (order.count ?? 1); i += 1) {
      const made = clients[new URL(order.url).protocol](order);
      answers.push(await made.catch((error) => ({ error: String(error) })));
    }
    reply.end(JSON.stringify(answers));
  })
  .listen(socketPath);
process.on("SIGTERM", () => process.exit(0));
