/**
 * Opens connections and does one request on each.
 *
 *   node bench/connection-client.ts idle URL COUNT
 *       opens COUNT connections, says "open" on stdout, and holds them until standard input ends
 *   node bench/connection-client.ts handshakes URL SECONDS CERTIFICATES
 *       opens mutual-TLS connections one after the other, sixteen at a time, none
 *       resumed, and prints how many requests succeeded
 */
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";

const [mode, target, amount, certificates] = process.argv.slice(2);
const url = new URL(target!);
const address = { host: url.hostname, port: Number(url.port) };
const parallel = mode === "idle" ? 64 : 16;

if (mode === "idle") await holdIdle(Number(amount));
else console.log(await shakeHands(Number(amount), certificates!));
process.exit(0);

async function holdIdle(count: number): Promise<void> {
  const sockets: Socket[] = [];
  let begun = 0;
  const open = async () => {
    while (begun++ < count) {
      const socket = connect(address);
      sockets.push(socket);
      await oneRequest(socket);
    }
  };
  await Promise.all(Array.from({ length: parallel }, open));
  const failed = sockets.filter((socket) => socket.destroyed).length;
  if (failed > 0) throw new Error(`${failed} of ${count} connections were closed`);
  console.log("open");
  process.stdin.resume();
  await new Promise((resolve) => process.stdin.once("end", resolve));
}

async function shakeHands(seconds: number, directory: string): Promise<number> {
  const read = (name: string) => readFileSync(join(directory, name));
  const identity = { ca: read("ca.pem"), cert: read("client.pem"), key: read("client.key") };
  const endMs = performance.now() + seconds * 1_000;
  let done = 0;
  const open = async () => {
    while (performance.now() < endMs) {
      // The name is not checked: it is the proxy's work that is measured.
      const socket = connectTls({ ...address, ...identity, checkServerIdentity: () => undefined });
      await oneRequest(socket);
      socket.destroy();
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: parallel }, open));
  return done;
}

/** Sends one request and waits for the first bytes of a 200. */
function oneRequest(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.once("close", () => reject(new Error("closed without an answer")));
    socket.once("data", (chunk) => {
      if (chunk.toString("latin1").startsWith("HTTP/1.1 200")) resolve();
      else reject(new Error(`answered: ${chunk.toString("latin1").slice(0, 200)}`));
    });
    socket.write(`GET ${url.pathname} HTTP/1.1\r\nhost: ${url.host}\r\n\r\n`);
  });
}
