import assert from "node:assert/strict";
import { once } from "node:events";
import net, { type AddressInfo, type Socket } from "node:net";
import { after, describe, it } from "node:test";
import tls from "node:tls";
import { TestCa } from "@weft/testkit/test-ca";
import { connectTo } from "./connect.ts";
import type { PeerIdentity, UpstreamTlsPlan } from "./tls-plan.ts";

const ca = new TestCa();
const serverSvid = ca.leaf("default", "reviews");
const clientSvid = ca.leaf("default", "productpage");
const expected = "spiffe://cluster.local/ns/default/sa/reviews";

const resumptions: boolean[] = [];
const server = tls.createServer(
  {
    key: serverSvid.keyPem,
    cert: serverSvid.chainPem,
    ca: ca.bundlePem,
    requestCert: true,
    sessionIdContext: "test",
  },
  (socket) => {
    socket.on("error", () => {});
    resumptions.push(socket.isSessionReused());
    socket.write("hello");
  },
);
server.listen(0, "127.0.0.1");
await once(server, "listening");
after(() => server.close());

function plan(accepted: string): UpstreamTlsPlan {
  return {
    context: {
      current: tls.createSecureContext({
        key: clientSvid.keyPem,
        cert: clientSvid.chainPem,
        ca: ca.bundlePem,
      }),
      generation: 1,
    },
    sni: "reviews",
    alpnProtocols: [],
    verifiesPeer: true,
    matchesSan: (peer) => peer.uris.includes(accepted),
  };
}

/** Connects, waits for a byte and closes; the peer, or the reason why there is none. */
function connectOnce(tlsPlan: UpstreamTlsPlan): Promise<PeerIdentity | string | undefined> {
  const address = { kind: "ip", host: "127.0.0.1", port: (server.address() as AddressInfo).port } as const;
  return new Promise((resolve) => {
    connectTo(address, tlsPlan, "reviews", {
      onConnected(socket: Socket, peer) {
        socket.once("data", () => {
          socket.destroy();
          resolve(peer);
        });
      },
      onFailed: (_reason, _message, transport) => resolve(transport),
    });
  });
}

describe("TLS to an endpoint", () => {
  it("a resumed session keeps the identity of the peer it was made with", async () => {
    const tlsPlan = plan(expected);
    // TLS 1.3 sends its tickets after the handshake: the second connection may come too early for them.
    for (let i = 0; i < 10 && !resumptions.includes(true); i++) {
      const peer = await connectOnce(tlsPlan);
      assert.ok(typeof peer === "object", String(peer));
      assert.deepEqual(peer.uris, [expected]);
    }
    assert.ok(resumptions.includes(true), "a session was resumed");
  });

  it("a session ends with the first of the certificates it was made with", async (t) => {
    const tlsPlan = plan(expected);
    for (let i = 0; i < 10 && !resumptions.includes(true); i++) await connectOnce(tlsPlan);
    const later = Date.now() + 2 * 3_600_000;
    t.mock.method(Date, "now", () => later);
    resumptions.length = 0;
    assert.ok(typeof (await connectOnce(tlsPlan)) === "object");
    assert.deepEqual(resumptions, [false], "the certificates are looked at again");
  });

  it("max_session_keys 0 resumes nothing", async () => {
    resumptions.length = 0;
    const tlsPlan = { ...plan(expected), maxSessions: 0 };
    for (let i = 0; i < 5; i++) assert.equal(typeof (await connectOnce(tlsPlan)), "object");
    assert.deepEqual(resumptions, [false, false, false, false, false]);
  });

  it("another name than the plan accepts is refused", async () => {
    assert.match(
      String(await connectOnce(plan("spiffe://cluster.local/ns/default/sa/ratings"))),
      /verify SAN/,
    );
  });

  it("begins with a preface where there is one, before TLS", async () => {
    const preface = Buffer.from("PROXY UNKNOWN\r\n");
    let seen: Buffer | null = null;
    const front = net.createServer((socket) => {
      socket.once("readable", () => {
        seen = socket.read(preface.length) as Buffer | null;
        server.emit("connection", socket);
      });
    });
    front.listen(0, "127.0.0.1");
    await once(front, "listening");
    const { port } = front.address() as AddressInfo;
    const peer = await new Promise<PeerIdentity | string | undefined>((resolve) => {
      connectTo(
        { kind: "ip", host: "127.0.0.1", port },
        plan(expected),
        "reviews",
        {
          onConnected(socket, identity) {
            socket.destroy();
            resolve(identity);
          },
          onFailed: (_reason, message, transport) => resolve(message || transport),
        },
        undefined,
        preface,
      );
    });
    front.close();
    assert.deepEqual((peer as PeerIdentity).uris, [expected]);
    assert.deepEqual(seen, preface);
  });

  it("is refused for another server name than the one asked for, where that is to be verified", async () => {
    const own = ca.leaf("default", "web", { dnsNames: ["*.b.example"] });
    const named = tls.createServer({ key: own.keyPem, cert: own.chainPem }, (socket) => {
      socket.on("error", () => {});
      socket.write("hello");
    });
    named.listen(0, "127.0.0.1");
    await once(named, "listening");
    const { port } = named.address() as AddressInfo;
    const ask = (serverName: string) =>
      new Promise<string>((resolve) => {
        const strict = { ...plan(""), matchesSan: undefined, verifiesServerName: true };
        connectTo({ kind: "ip", host: "127.0.0.1", port }, strict, serverName, {
          onConnected(socket) {
            socket.destroy();
            resolve("connected");
          },
          onFailed: (_reason, message, transport) => resolve(message || transport),
        });
      });
    assert.equal(await ask("a.b.example"), "connected");
    assert.match(await ask("a.c.example"), /the certificate is not for a\.c\.example/);
    assert.match(await ask(""), /not for any name/);
    named.close();
  });
});
