import assert from "node:assert/strict";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { TestCa } from "@weft/testkit/test-ca";
import { RemoteListener } from "./remote-listener.ts";

async function setUp(t: TestContext, patienceMs?: number) {
  const ca = new TestCa();
  const certificateOf = (name: string) => ca.leaf("a", "b", { dnsNames: [name] });
  const listener = await RemoteListener.open({
    host: "127.0.0.1",
    port: 0,
    certificate: certificateOf("localhost"),
    ...(patienceMs !== undefined && { patienceMs }),
    serve: (_, response) => void response.end("served"),
  });
  t.after(() => listener.close());
  const open = (): TLSSocket => {
    const socket = connect({
      host: "127.0.0.1",
      port: listener.port,
      ca: ca.bundlePem,
      checkServerIdentity: () => undefined,
    });
    socket.on("error", () => {});
    t.after(() => socket.destroy());
    return socket;
  };
  return { listener, open, certificateOf };
}

const slow: readonly (readonly [string, string])[] = [
  ["says nothing", ""],
  ["begins a head", "GET / HTTP/1.1\r\nhost: localhost\r\nx-"],
  ["begins a body", "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\nabc"],
];
for (const [what, bytes] of slow) {
  test(`who ${what} and then sends nothing more is cut off`, async (t) => {
    const { open } = await setUp(t, 200);
    const socket = open();
    await once(socket, "secureConnect");
    socket.write(bytes);
    socket.resume();
    await once(socket, "close");
  });
}

test("one address has so many connections, and no more", async (t) => {
  const { open } = await setUp(t);
  const held = Array.from({ length: 64 }, open);
  await Promise.all(held.map((socket) => once(socket, "secureConnect")));
  assert.equal(await isServed(open()), false);
  held[0]!.destroy();
  // Its place is free once the listener has seen it go.
  while (!(await isServed(open())));
});

function isServed(socket: TLSSocket): Promise<boolean> {
  return new Promise((resolve) => {
    socket.on("secureConnect", () => resolve(true));
    socket.on("close", () => resolve(false));
  });
}

test("a new certificate is shown from then on, and its names are those that are answered for", async (t) => {
  const { listener, open, certificateOf } = await setUp(t);
  assert.deepEqual(listener.names, ["localhost"]);
  listener.setCertificate(certificateOf("mesh.example"));
  assert.deepEqual(listener.names, ["mesh.example"]);
  const socket = open();
  await once(socket, "secureConnect");
  assert.match(socket.getPeerX509Certificate()!.subjectAltName!, /DNS:mesh\.example/);
});
