/**
 * Istio's sample applications, as far as a caller can tell them apart from the
 * published images: `node application.mjs NAME VERSION ADDRESS [WHERE THE NEXT ONE IS]`.
 */
import { createServer as createHttpServer, get } from "node:http";
import { createServer as createTcpServer } from "node:net";

const [name, version, address, next] = process.argv.slice(2);

/** What arrived since the start, for who asks the application itself. */
const received = [];

const serve = (port, answer) =>
  createHttpServer((request, response) => {
    if (request.url === "/received") return response.end(JSON.stringify(received));
    received.push({ path: request.url, host: request.headers.host });
    answer(request, response);
  }).listen(port, address);

/** `GET /status/418`, `/delay/0.5`; anything else tells what arrived. */
function httpbin(request, response) {
  const [, what, value] = request.url.split("/");
  if (what === "status") return response.writeHead(Number(value)).end();
  const { method, url, headers } = request;
  response.setHeader("content-type", "application/json");
  setTimeout(
    () => response.end(JSON.stringify({ version, method, url, headers })),
    what === "delay" ? Number(value) * 1000 : 0,
  );
}

/** Each line comes back behind the version's word, as the task's `one` and `two`. */
function echo(socket) {
  socket.on("error", () => {});
  socket.on("data", (chunk) => socket.write(`${version} ${chunk}`));
}

/** The version; where there are ratings, only with their answer. */
function reviews(_request, response) {
  if (!next) return response.end(version);
  get(`http://${next}/ratings/0`, (ratings) => {
    ratings.resume();
    ratings.on("end", () => response.end(ratings.statusCode === 200 ? version : `${version} without stars`));
  }).on("error", () => response.writeHead(500).end());
}

const applications = {
  "tcp-echo": () => {
    for (const port of [9000, 9001, 9002]) createTcpServer(echo).listen(port, address);
  },
  helloworld: () =>
    serve(5000, (request, response) =>
      request.url === "/hello"
        ? response.end(`Hello version: ${version}, instance: helloworld-${version}\n`)
        : response.writeHead(404).end(),
    ),
  httpbin: () => serve(8080, httpbin),
  reviews: () => serve(9080, reviews),
  ratings: () => serve(9080, (_request, response) => response.end(version)),
  curl: () => setInterval(() => {}, 1e6),
};
applications[name]();
