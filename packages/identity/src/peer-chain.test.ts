import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { connect, createServer, type TLSSocket } from "node:tls";
import { TestCa } from "@weft/testkit/test-ca";
import { peerChain } from "./peer-chain.ts";
import { verifySvid } from "./verify-svid.ts";

const ca = new TestCa();
const reviews = ca.leaf("default", "reviews");
const ratings = ca.leaf("default", "ratings");

test("both ends of a mutual TLS connection know who the other is", async (t) => {
  const { client, server } = await handshake(t, { cert: ratings.chainPem, key: ratings.keyPem });
  assert.ok(client.authorized && server.authorized, "TLS itself finds the chains good");
  assert.equal(
    verifySvid(peerChain(client), ca.bundle, Date.now()),
    "spiffe://cluster.local/ns/default/sa/reviews",
  );
  assert.equal(
    verifySvid(peerChain(server), ca.bundle, Date.now()),
    "spiffe://cluster.local/ns/default/sa/ratings",
  );
});

test("a client sees the intermediates a server presents", async (t) => {
  const top = new TestCa({ hasIntermediate: true });
  const { chainPem, keyPem } = top.leaf("default", "reviews");
  const { client } = await handshake(t, {}, { cert: chainPem, key: keyPem, ca: top.bundlePem });
  assert.equal(peerChain(client).length, 3);
  verifySvid(peerChain(client), top.bundle, Date.now());
});

test("whoever presents nothing has an empty chain", async (t) => {
  const { server } = await handshake(t, {});
  assert.deepEqual(peerChain(server), []);
});

interface Identity {
  readonly cert?: string;
  readonly key?: string;
}

const own = { cert: reviews.chainPem, key: reviews.keyPem, ca: ca.bundlePem };

async function handshake(t: TestContext, identity: Identity, serving: typeof own = own) {
  const listener = createServer({ ...serving, requestCert: true, rejectUnauthorized: false });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const accepted = once(listener, "secureConnection");
  const client = connect({
    port,
    host: "127.0.0.1",
    ca: serving.ca,
    ...identity,
    checkServerIdentity: () => undefined,
  });
  await once(client, "secureConnect");
  const [server] = (await accepted) as [TLSSocket];
  t.after(() => {
    client.destroy();
    server.destroy();
    listener.close();
  });
  return { client, server };
}
