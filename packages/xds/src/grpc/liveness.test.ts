import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerHttp2Session } from "node:http2";
import { type AddressInfo, connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { FakeClock } from "@weft/testkit/fake-clock";
import { Liveness } from "./liveness.ts";

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
/** Frames of RFC 9113: empty SETTINGS, and WINDOW_UPDATE of the connection by one byte. */
const settings = Buffer.from("000000040000000000", "hex");
const windowUpdate = Buffer.from("00000408000000000000000001", "hex");

/** Connections watched by a clock that stands still, whose peers answer no PING. */
async function openMany(t: TestContext, count: number) {
  const clock = new FakeClock();
  const liveness = new Liveness(clock, { intervalMs: 2_000 });
  const server = createServer();
  t.after(() => {
    liveness.stop();
    server.close();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const connections: { peer: Socket; session: ServerHttp2Session }[] = [];
  for (let i = 0; i < count; i += 1) {
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
    connections.push({ peer, session });
  }
  liveness.start();
  return { clock, connections, liveness };
}

async function open(t: TestContext) {
  const { clock, connections, liveness } = await openMany(t, 1);
  return { clock, liveness, ...connections[0]! };
}

async function heard(session: ServerHttp2Session, bytes: number): Promise<void> {
  while ((session.socket?.bytesRead ?? 0) < bytes) await new Promise((resolve) => setImmediate(resolve));
}

test("a peer that is silent though it is asked is let go within two intervals", async (t) => {
  const { clock, liveness, session } = await open(t);
  await clock.advance(2_000);
  assert.equal(session.destroyed, false, "asked");
  await clock.advance(2_000);
  assert.equal(session.destroyed, true);
  assert.equal(liveness.wasSilent(session), true);
});

test("a peer that ends its connection is not taken for a silent one", async (t) => {
  const { clock, liveness, peer, session } = await open(t);
  const closed = new Promise((resolve) => session.once("close", resolve));
  peer.destroy();
  await closed;
  await clock.advance(10_000);
  assert.equal(liveness.wasSilent(session), false);
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

test("when most peers are silent at once they are given more time, and not for ever", async (t) => {
  const { clock, connections } = await openMany(t, 20);
  const alive = () => connections.filter(({ session }) => !session.destroyed).length;
  await clock.advance(4_000);
  assert.equal(alive(), 20, "rather the machine than all of them");
  await clock.advance(8_000);
  assert.equal(alive(), 20);
  await clock.advance(2_000);
  assert.equal(alive(), 0);
});

test("a few silent peers among many are let go as ever", async (t) => {
  const { clock, connections } = await openMany(t, 40);
  await clock.advance(2_000);
  for (const { peer, session } of connections.slice(16)) {
    const before = session.socket.bytesRead;
    peer.write(windowUpdate);
    await heard(session, before + windowUpdate.length);
  }
  await clock.advance(2_000);
  assert.equal(connections.filter(({ session }) => session.destroyed).length, 16);
});
