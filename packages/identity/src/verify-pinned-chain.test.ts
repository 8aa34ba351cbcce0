import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { connect, createServer } from "node:tls";
import { TestCa } from "@weft/testkit/test-ca";
import { spkiPin } from "./certificate.ts";
import { peerChain } from "./peer-chain.ts";
import { parseTrustDomain } from "./spiffe-id.ts";
import { verifyPinnedChain } from "./verify-pinned-chain.ts";
import { SvidError } from "./verify-svid.ts";

const nowMs = Date.now();
const ca = new TestCa({ nowMs });
const pin = spkiPin(ca.root);
const controlPlane = ca.leaf("weft-system", "weft-control-plane", {
  dnsNames: ["weft-control-plane", "localhost"],
});

test("over a real TLS connection the control plane is recognised by the pin alone", async (t) => {
  const server = createServer({ cert: controlPlane.chainPem, key: controlPlane.keyPem });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  t.after(() => socket.destroy());
  await once(socket, "secureConnect");
  const chain = peerChain(socket);
  assert.equal(chain.length, 2);
  const { controlPlane: id, bundle } = verifyPinnedChain(chain, pin, Date.now());
  assert.equal(id, "spiffe://cluster.local/ns/weft-system/sa/weft-control-plane");
  assert.deepEqual(
    bundle.roots.map((root) => root.pem),
    [ca.root.pem],
  );
});

test("whoever is not the control plane of the pinned root is refused", () => {
  const impostor = new TestCa({ nowMs });
  const fakeRoot = impostor.leaf("weft-system", "weft-control-plane", {
    // The pinned key under the attacker's name and content, which only the attacker signed.
    spki: ca.root.facts.spki,
    subjectName: ca.root.facts.subjectName,
    isCa: true,
    keyUsage: 0x04,
    uris: ["spiffe://cluster.local"],
  });
  const cases: readonly [string, string, string, RegExp][] = [
    ["another root", impostor.leaf("weft-system", "weft-control-plane").chainPem, pin, /of another mesh/],
    ["no root in the chain", controlPlane.certificate.pem, pin, /does not end in the root/],
    ["a workload of the same mesh", ca.leaf("default", "ratings").chainPem, pin, /where the control plane/],
    [
      "a foreign leaf over the pinned root",
      impostor.leaf().certificate.pem + ca.root.pem,
      pin,
      /not signed by/,
    ],
    [
      "a copied key in another root",
      controlPlane.certificate.pem + fakeRoot.certificate.pem,
      pin,
      /its own key/,
    ],
    ["another pin", controlPlane.chainPem, "B".repeat(43), /of another mesh/],
  ];
  for (const [name, chain, thePin, message] of cases) {
    assert.throws(
      () => verifyPinnedChain(chain, thePin, nowMs),
      (error) => error instanceof SvidError && message.test(error.message),
      name,
    );
  }
});

test("a control plane of another trust domain than the expected one is refused", () => {
  assert.throws(
    () => verifyPinnedChain(controlPlane.chainPem, pin, nowMs, parseTrustDomain("other.example")),
    (error) => error instanceof SvidError && error.reason === "wrong-trust-domain",
  );
});
