import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerHttp2Session } from "node:http2";
import { type AddressInfo, connect } from "node:net";
import { type TestContext, test } from "node:test";
import { FakeClock } from "@weft/testkit/fake-clock";
import { Liveness } from "./liveness.ts";

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
/** Frames of RFC 9113: empty SETTINGS, and WINDOW_UPDATE of the connection by one byte. */
const settings = Buffer.from("000000040000000000", "hex");
const windowUpdate = Buffer.from("00000408000000000000000001", "hex");

/** A connection watched by a clock that stands still, whose peer answers no PING. */
async function open(t: TestContext) {
  const clock = new FakeClock();
  const liveness = new Liveness(clock, { intervalMs: 2_000 });
  const server = createServer();
  t.after(() => {
    liveness.stop();
    server.close();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const peer = connect((server.address() as AddressInfo).port, "127.0.0.1");
  t.after(() => peer.destroy());
  peer.on("error", () => {});
  peer.resume();
  const connected = once(server, "session");
  peer.write(Buffer.concat([preface, settings]));
  const [session] = (await connected) as [ServerHttp2Session];
  session.on("error", () => {});
  await heard(session, preface.length + settings.length);
  liveness.add(session);
  liveness.start();
  return { clock, peer, session };
}

async function heard(session: ServerHttp2Session, bytes: number): Promise<void> {
  while ((session.socket?.bytesRead ?? 0) < bytes) await new Promise((resolve) => setImmediate(resolve));
}

test("a peer that is silent though it is asked is let go within two intervals", async (t) => {
  const { clock, session } = await open(t);
  await clock.advance(2_000);
  assert.equal(session.destroyed, false, "asked");
  await clock.advance(2_000);
  assert.equal(session.destroyed, true);
});

test("a peer that sends anything is alive, however long its answer takes, until it falls silent", async (t) => {
  const { clock, peer, session } = await open(t);
  await clock.advance(2_000);
  for (let round = 0; round < 5; round += 1) {
    const before = session.socket.bytesRead;
    peer.write(windowUpdate);
    await heard(session, before + windowUpdate.length);
    await clock.advance(2_000);
    assert.equal(session.destroyed, false, `round ${round}`);
  }
  await clock.advance(2_000);
  assert.equal(session.destroyed, true);
});
