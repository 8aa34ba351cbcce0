// What the two applications do with a request: read its body, call the URL that
// the path names in the way that it names, and when that is over call again.
// Nothing here knows of traces.
const ways = {
  get: ({ http }, url, done) => http.get(url, done),
  request: ({ http }, url, done) => http.request(new URL(url), { method: "POST" }, done).end("body"),
  list: ({ http }, url, done) =>
    http.request(url, { headers: ["Host", "target", "X-Mine", "1"] }, done).end(),
  continue: ({ http }, url, done) => {
    const call = http.request(url, { method: "POST", headers: { expect: "100-continue" } }, done);
    call.on("continue", () => call.end("body"));
  },
  queued: ({ http, agent }, url, done) => http.get(url, { agent }, done),
  own: ({ http }, url, done) => http.get(url, { headers: { Traceparent: "of-its-own" } }, done),
};

const bodyOf = (stream) =>
  new Promise((resolve, reject) => {
    let text = "";
    stream.on("data", (chunk) => {
      text += chunk;
    });
    stream.on("end", () => resolve(text));
    stream.on("error", reject);
  });

const later = () => new Promise((resolve) => setTimeout(resolve, 1));

async function call(io, way, url) {
  if (way === "fetch") return (await io.fetch(url)).text();
  if (way === "http2") return callHttp2(io, url);
  return new Promise((resolve, reject) => {
    ways[way](io, url, (answer) => bodyOf(answer).then(resolve, reject));
  });
}

function callHttp2(io, url) {
  const { origin, pathname } = new URL(url);
  io.session ??= io.http2.connect(process.env.HTTP2_ORIGIN ?? origin);
  return bodyOf(io.session.request({ ":path": pathname }).end());
}

/** `/WAY/ID` is answered when both calls are. */
module.exports = function serve(io) {
  io.agent = new io.http.Agent({ keepAlive: true, maxSockets: 1 });
  const answer = (path, stream, done) => {
    const chunks = [];
    stream.on("data", (chunk) => chunks.push(chunk));
    // Not a promise: what is told of the request is told in its context.
    stream.on("end", () => {
      const [, way, id] = path.split("/");
      call(io, way, `${process.env.TARGET}/${way}/${id}/first`)
        .then(later)
        .then(() => call(io, way, `${process.env.TARGET}/${way}/${id}/second`))
        .then(
          () => done(200),
          (error) => done(500, String(error)),
        );
    });
  };
  const host = process.env.HOST ?? "127.0.0.1";
  const plain = io.http.createServer((request, response) => {
    answer(request.url, request, (status, text) => response.writeHead(status).end(text));
  });
  const compatible = io.http2.createServer((request, response) => {
    answer(request.url, request, (status, text) => response.writeHead(status).end(text));
  });
  const streaming = io.http2.createServer();
  streaming.on("stream", (stream, headers) => {
    answer(headers[":path"], stream, (status, text) => {
      stream.respond({ ":status": status });
      stream.end(text);
    });
  });
  const servers = { plain, compatible, streaming };
  const port = (name) =>
    new Promise((resolve) => {
      const wanted = name === "plain" ? Number(process.env.PORT ?? 0) : 0;
      servers[name].listen(wanted, host, () => resolve([name, servers[name].address().port]));
    });
  Promise.all(Object.keys(servers).map(port)).then((ports) => {
    console.log(JSON.stringify(Object.fromEntries(ports)));
  });
  process.stdin.on("end", () => process.exit(0)).resume();
};
