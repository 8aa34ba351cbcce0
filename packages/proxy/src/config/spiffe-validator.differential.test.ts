/** Certificates before Envoy and this sidecar, where each trust domain is verified under roots of its own. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { after, before, describe, it } from "node:test";
import tls from "node:tls";
import { TestCa, type TestSvid } from "@weft/testkit/test-ca";
import { type Contender, envoyOrSkip, startBoth } from "../test-contenders.ts";
import { extensionType, inlineString, tlsEchoBootstrap } from "./test-tls-echo.ts";

const east = new TestCa({ trustDomain: "east.example" });
const west = new TestCa({ trustDomain: "west.example" });
const deep = new TestCa({ trustDomain: "deep.example", hasIntermediate: true });
const shared = new TestCa({ trustDomain: "one.example" });
const stranger = new TestCa({ trustDomain: "far.example" });
const own = east.leaf("default", "server");

const bundles: readonly [name: string, roots: string][] = [
  ["east.example", east.bundlePem],
  ["west.example", new TestCa({ trustDomain: "west.example" }).bundlePem + west.bundlePem],
  ["deep.example", deep.bundlePem],
  ["one.example", shared.bundlePem],
  ["two.example", shared.bundlePem],
];
const bootstrap = tlsEchoBootstrap({
  common_tls_context: {
    tls_certificates: [
      { certificate_chain: inlineString(own.certificate.pem), private_key: inlineString(own.keyPem) },
    ],
    validation_context: {
      custom_validator_config: {
        name: "envoy.tls.cert_validator.spiffe",
        typed_config: {
          "@type": extensionType("transport_sockets.tls.v3.SPIFFECertValidatorConfig"),
          trust_domains: bundles.map(([name, pem]) => ({ name, trust_bundle: inlineString(pem) })),
        },
      },
    },
  },
});
const as = (uri: string) => ({ uris: [uri] });
const victim = "spiffe://east.example/ns/default/sa/admin";
const cases: readonly [what: string, svid: TestSvid | undefined, isTaken: boolean, envoy?: boolean][] = [
  ["of its own trust domain", east.leaf(), true],
  ["of another one", west.leaf(), true],
  ["of one with intermediates", deep.leaf(), true],
  [
    "of a domain that shares its root with another",
    shared.leaf("a", "b", as("spiffe://two.example/ns/a/sa/b")),
    true,
  ],
  ["by a foreign root for an identity of ours", west.leaf("a", "b", as(victim)), false],
  ["by a foreign intermediate for an identity of ours", deep.leaf("a", "b", as(victim)), false],
  ["by our root for a foreign identity", east.leaf("a", "b", as("spiffe://west.example/ns/a/sa/b")), false],
  ["for a subdomain", west.leaf("a", "b", as("spiffe://a.west.example/ns/a/sa/b")), false],
  [
    "for a domain with another before an @",
    west.leaf("a", "b", as("spiffe://west.example@east.example/a")),
    false,
  ],
  ["for a domain with a port", west.leaf("a", "b", as("spiffe://west.example:1/ns/a/sa/b")), false],
  ["for another scheme", west.leaf("a", "b", as("https://west.example/ns/a/sa/b")), false],
  ["for a trust domain itself", west.leaf("a", "b", as("spiffe://west.example")), false],
  ["for nobody", west.leaf("a", "b", { uris: [] }), false],
  ["for DNS names alone", west.leaf("a", "b", { uris: [], dnsNames: ["west.example"] }), false],
  ["of a domain that is not known", stranger.leaf(), false],
  ["of an authority", west.badLeaves().caFlagged, false],
  ["that may sign others", west.badLeaves().mayCertify, false],
  ["that has expired", west.badLeaves().expired, false],
  ["by another root of that name", west.badLeaves().foreignRoot, false],
  ["with two identities", west.leaf("a", "b", { uris: ["spiffe://west.example/a", victim] }), false, true],
  ["that is missing", undefined, false],
];

describe("with a SPIFFE validator, a certificate", { skip: envoyOrSkip }, () => {
  let contenders: readonly Contender[] = [];
  before(async () => {
    contenders = await startBoth(bootstrap);
  });
  after(async () => {
    for (const one of contenders) await one.close();
  });

  for (const [what, svid, isTaken, byEnvoy = isTaken] of cases) {
    it(`${what} is ${isTaken ? "taken" : "refused"}`, async () => {
      const answers: Record<string, boolean> = {};
      for (const { name, port } of contenders) answers[name] = (await answerAt(port, svid)).text === "taken";
      assert.deepEqual(answers, { Envoy: byEnvoy, Weft: isTaken });
    });
  }

  it("of the proxy itself is shown with its true root, and nothing that verifies others", async () => {
    const { chain } = await answerAt(contenders[1]!.port, east.leaf());
    assert.deepEqual(
      chain.map(({ fingerprint256 }) => fingerprint256),
      [own.certificate, east.root].map(({ x509 }) => x509.fingerprint256),
    );
    assert.match(await contenders[1]!.admin("/certs"), /spiffe:\/\/west\.example/);
  });
});

async function answerAt(port: number, svid: TestSvid | undefined) {
  const socket = tls.connect({
    host: "127.0.0.1",
    port,
    rejectUnauthorized: false,
    ...(svid && { key: svid.keyPem, cert: svid.chainPem }),
  });
  let text = "";
  const chain: X509Certificate[] = [];
  socket.on("secureConnect", () => {
    socket.write("taken");
    let next: tls.DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
    for (
      ;
      next?.raw && chain.length < 5;
      next = next.issuerCertificate === next ? undefined : next.issuerCertificate
    ) {
      chain.push(new X509Certificate(next.raw));
    }
  });
  socket.on("data", (bytes) => {
    text += bytes;
    socket.end();
  });
  socket.on("error", () => {});
  await new Promise((resolve) => socket.on("close", resolve));
  return { text, chain };
}
