import assert from "node:assert/strict";
import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import { test } from "node:test";
import tls from "node:tls";
import { FakeClock } from "@weft/testkit/fake-clock";
import { TestCa } from "@weft/testkit/test-ca";
import { Timers } from "./timers.ts";
import { acceptTls } from "./tls-accept.ts";

const ca = new TestCa();
const server = ca.leaf("default", "reviews");
const client = ca.leaf("default", "productpage");

test("a resumed session is refused once the client's certificate has expired", async (t) => {
  const clock = new FakeClock(Date.now());
  const timers = new Timers(clock);
  const outcomes: string[] = [];
  const plan = {
    context: {
      current: tls.createSecureContext({ key: server.keyPem, cert: server.chainPem, ca: ca.bundlePem }),
      generation: 0,
    },
    requireClientCertificate: true,
    alpnProtocols: [],
    matchesSan: undefined,
  };
  const listener = net.createServer((raw) =>
    acceptTls(
      raw,
      Buffer.alloc(0),
      plan,
      { timers, timeoutMs: 0 },
      {
        onAccepted({ socket }) {
          outcomes.push(socket.isSessionReused() ? "resumed" : "accepted");
          socket.end("x");
        },
        onRefused: (refusal, message) => outcomes.push(`${refusal} ${message}`),
      },
    ),
  );
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  t.after(() => listener.close());

  const connect = async (session?: Buffer): Promise<Buffer | undefined> => {
    const socket = tls.connect({
      port: (listener.address() as AddressInfo).port,
      host: "127.0.0.1",
      ca: ca.bundlePem,
      key: client.keyPem,
      cert: client.chainPem,
      checkServerIdentity: () => undefined,
      session,
    });
    let ticket: Buffer | undefined;
    socket.on("session", (next) => (ticket = next));
    socket.on("error", () => {});
    socket.resume();
    await once(socket, "close");
    return ticket;
  };
  const ticket = await connect();
  assert.ok(ticket);
  await connect(ticket);
  await clock.advance(2 * 3_600_000);
  await connect(ticket);
  assert.deepEqual(outcomes, ["accepted", "resumed", "certificate-not-verified CERT_HAS_EXPIRED"]);
});
