/**
 * The application at the end of the chain: answers every request on a raw
 * socket with the same bytes, so that it costs little and never is what is
 * measured. Requests have no body.
 *
 *   node bench/upstream.ts PORT RESPONSE_BYTES
 */
import { createServer } from "node:net";

const [port, bytes] = process.argv.slice(2).map(Number);
const body = "x".repeat(bytes!);
const response = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${bytes}\r\n\r\n${body}`,
  "latin1",
);
const endOfHead = Buffer.from("\r\n\r\n");

const server = createServer({ noDelay: true }, (socket) => {
  let rest: Buffer | undefined;
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk) => {
    const data = rest ? Buffer.concat([rest, chunk]) : chunk;
    let at = 0;
    for (;;) {
      const end = data.indexOf(endOfHead, at);
      if (end < 0) break;
      at = end + endOfHead.length;
      socket.write(response);
    }
    rest = at < data.length ? data.subarray(at) : undefined;
  });
});
server.listen(port, "127.0.0.1", () => process.send?.("listening"));
process.on("disconnect", () => process.exit(0));
