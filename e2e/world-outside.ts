/**
 * What is there outside of a mesh: `node world-outside.ts NAMESERVER NAME=ADDRESS…`
 * serves each address by HTTP on 80 and 8080, by TLS on 443 and by TCP on 7000,
 * all of which say where they are, and DNS for the names.
 */
import { createSocket } from "node:dgram";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { createServer as createTcpServer } from "node:net";
import { TestCa } from "../packages/testkit/src/test-ca.ts";
import { dnsAnswer } from "./name-server.ts";

const [nameServer, ...pairs] = process.argv.slice(2);
const addresses = new Map(pairs.map((pair) => pair.split("=") as [string, string]));

const names = createSocket("udp4", (query, { address, port }) => {
  const answer = dnsAnswer(query, (name) => (addresses.has(name) ? [addresses.get(name)!] : undefined));
  names.send(answer, port, address);
});
names.bind(53, nameServer);

const { chainPem: cert, keyPem: key } = new TestCa().leaf();
for (const address of new Set(addresses.values())) {
  for (const port of [80, 8080]) {
    createServer(({ headers }, response) => response.end(`${headers.host} at ${address}`)).listen(
      port,
      address,
    );
  }
  createSecureServer({ cert, key }, (_, response) => response.end(`secret at ${address}`)).listen(
    443,
    address,
  );
  createTcpServer((socket) => socket.on("error", () => {}).end(`bytes at ${address}`)).listen(7000, address);
}
