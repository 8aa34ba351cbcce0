/**
 * A service that answers and calls others, for pictures of a live mesh:
 *
 *   node app.mjs [--listen HOST:PORT] [--tcp HOST:PORT] [--call URL=RATE …] [--connect HOST:PORT …]
 *
 * Each call it gets it passes on to what `--next URL` names, before it answers.
 */
import { createServer } from "node:http";
import { connect, createServer as createTcpServer } from "node:net";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    listen: { type: "string" },
    tcp: { type: "string" },
    next: { type: "string" },
    call: { type: "string", multiple: true, default: [] },
    connect: { type: "string", multiple: true, default: [] },
  },
});

const place = (text) => ({
  host: text.slice(0, text.lastIndexOf(":")),
  port: Number(text.slice(text.lastIndexOf(":") + 1)),
});
const visit = (url) =>
  fetch(url).then(
    (response) => response.arrayBuffer(),
    () => {},
  );

if (values.listen) {
  createServer(async (_, response) => {
    if (values.next) await visit(values.next);
    setTimeout(() => response.end("here\n"), Math.random() * 12);
  }).listen(place(values.listen));
}
if (values.tcp) {
  createTcpServer((socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  }).listen(place(values.tcp));
}
for (const call of values.call) {
  const at = call.lastIndexOf("=");
  setInterval(() => void visit(call.slice(0, at)), 1_000 / Number(call.slice(at + 1)));
}
function stayConnected(address) {
  const socket = connect(place(address));
  socket.on("error", () => {});
  socket.on("close", () => setTimeout(stayConnected, 500, address));
  const timer = setInterval(() => socket.write("still here\n"), 500);
  socket.on("close", () => clearInterval(timer));
  socket.resume();
}
for (const address of values.connect) stayConnected(address);
setInterval(() => {}, 60_000);
