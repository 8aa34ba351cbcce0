import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { parseCertificate } from "@weft/identity/certificate";
import { createCsr } from "@weft/identity/csr";
import { formatJoinToken, JoinTokenError, newJoinToken, parseJoinToken } from "@weft/identity/join-token";
import { generateKeyPair } from "@weft/identity/key-pair";
import { formatSpiffeBundle, parseSpiffeBundle, SpiffeBundleError } from "@weft/identity/spiffe-bundle";
import { parseSpiffeId, pathOf, SpiffeIdError, trustDomainOf } from "@weft/identity/spiffe-id";
import { CsrError, verifyCsr } from "@weft/identity/verify-csr";
import { SvidError, verifySvid } from "@weft/identity/verify-svid";
import { domainAnchors } from "@weft/proxy/net/domain-anchors";
import { PeerCertificate } from "@weft/proxy/net/peer-certificate";
import { svidFault } from "@weft/proxy/net/svid-fault";
import { TestCa } from "@weft/testkit/test-ca";
import type { FuzzTarget } from "../target.ts";

const authority = new TestCa({ hasIntermediate: true });
const other = new TestCa({ trustDomain: "west.example" });
const { trustDomain, bundle } = authority;
const good = authority.leaf();
const domains = new Set([trustDomain as string]);
const chainOf = (pem: string) => (pem.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g) ?? []).slice(1);
const derOf = (pem: string) => new X509Certificate(pem).raw;

/** What a reader says, or undefined where it refuses in the one way it may. @throws whatever else it throws */
function orRefused<T>(
  read: () => T,
  ...refusals: readonly (new (
    ...args: never[]
  ) => Error)[]
): T | undefined {
  try {
    return read();
  } catch (error) {
    if (refusals.some((refusal) => error instanceof refusal)) return undefined;
    throw error;
  }
}

/** What OpenSSL says of bytes that are nothing to it; a mistake in the reader is another kind of error. */
function isOpenssl(error: unknown): boolean {
  return (
    error instanceof Error && ["Error", "DerError"].includes(error.name) && !(error instanceof TypeError)
  );
}

/**
 * Whatever the bytes: two readers agree on who a certificate is for; none but
 * one that the authority signed is believed; and of a certificate for which both
 * data planes' rules ask, the stricter one stands.
 */
export const certificates: FuzzTarget = {
  name: "certificates",
  seeds: [
    ...[good, ...Object.values(authority.badLeaves()), other.leaf()].map(
      ({ certificate }) => certificate.x509.raw,
    ),
    authority.root.x509.raw,
    other.root.x509.raw,
  ],
  tokens: [
    "spiffe://",
    "cluster.local",
    "\x86\x20",
    "\x06\x03\x55\x1d\x11",
    "\x30\x80",
    "\x01\x01\xff",
    "..",
    "\0",
  ],
  check(input) {
    let certificate: ReturnType<typeof parseCertificate> | undefined;
    try {
      certificate = parseCertificate(input);
    } catch (error) {
      assert.ok(isOpenssl(error), `${error}`);
      return;
    }
    const { x509, facts } = certificate;
    const peer = new PeerCertificate(x509);
    // Where OpenSSL can make nothing of a part of the names, the sidecar sees none, and refuses.
    if (x509.subjectAltName !== undefined) assert.deepEqual(peer.uris, facts.uris, "two readers of one name");
    else assert.deepEqual(peer.uris, []);
    assert.equal(x509.ca, facts.isCa && x509.ca, "no authority that only one of them sees");
    const chain = [x509.raw, ...chainOf(good.chainPem).map(derOf)];
    const id = orRefused(() => verifySvid(chain, bundle, Date.now()), SvidError);
    if (id !== undefined) {
      assert.equal(
        svidFault(x509, peer, domains),
        undefined,
        "what the authority believes, the sidecar does",
      );
      assert.equal(peer.uris[0], id);
    }
    try {
      domainAnchors([{ name: "cluster.local", roots: Buffer.from(x509.toString()) }]);
    } catch (error) {
      assert.ok(isOpenssl(error), `${error}`);
    }
  },
};

const csr = createCsr(await generateKeyPair(), parseSpiffeId("spiffe://cluster.local/ns/default/sa/web"));
const csrDer = Buffer.from(csr.replace(/-----[^-]+-----|\s/g, ""), "base64");
const asPem = (der: Buffer) =>
  `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;

/** A request that was signed is read; none that was changed after it, however little. */
export const requests: FuzzTarget = {
  name: "certificate-requests",
  seeds: [csrDer],
  tokens: ["spiffe://cluster.local/ns/a/sa/b", "\x06\x03\x55\x1d\x11", "\x30\x80", "\x01\x01\xff", "\xa0\0"],
  check(input) {
    for (const text of [asPem(input), input.toString("latin1")]) {
      const request = orRefused(() => verifyCsr(text), CsrError);
      if (request) assert.deepEqual(input, csrDer, "a signature holds for what was signed alone");
    }
  },
};

/** An ID that is read is put together of its parts again, and has no other spelling. */
export const spiffeIds: FuzzTarget = {
  name: "spiffe-ids",
  seeds: [
    "spiffe://cluster.local/ns/default/sa/web",
    "spiffe://a",
    "spiffe://a.b-c_d/x",
    "SPIFFE://a/b",
    "spiffe://a//b",
  ].map((text) => Buffer.from(text)),
  tokens: ["spiffe://", "/", "//", "/../", "%2f", "@", ":80", "?", "#", "\0", "\n", "é", "A", "."],
  check(input) {
    const text = input.toString("utf8");
    const id = orRefused(() => parseSpiffeId(text), SpiffeIdError);
    if (id === undefined) return;
    assert.equal(`spiffe://${trustDomainOf(id)}${pathOf(id)}`, text);
    assert.match(text, /^spiffe:\/\/[a-z0-9._-]{1,255}(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+)*$/);
    const { protocol, host, username, port, search, hash } = new URL(text);
    assert.deepEqual([protocol, username, port, search, hash], ["spiffe:", "", "", "", ""]);
    assert.equal(host, trustDomainOf(id), "any reader of URLs finds the same trust domain");
  },
};

const joinToken = formatJoinToken(newJoinToken("A".repeat(43)));

/** A token has one spelling, and what is none is not repeated to anybody. */
export const joinTokens: FuzzTarget = {
  name: "join-tokens",
  seeds: [joinToken, `${joinToken}\n`, "weft-join-v2.x", ""].map((text) => Buffer.from(text)),
  tokens: ["weft-join-v1.", ".", " ", "\n", "=", "\0", "A".repeat(43)],
  check(input) {
    const text = input.toString("utf8");
    try {
      assert.equal(formatJoinToken(parseJoinToken(text)), text.trim());
    } catch (error) {
      if (!(error instanceof JoinTokenError)) throw error;
      for (const part of text.split(".").slice(2)) {
        if (part.length >= 16) assert.ok(!error.message.includes(part), "a refusal holds no secret");
      }
    }
  },
};

const document = formatSpiffeBundle({
  trustDomain,
  roots: [authority.root],
  jwtKeys: [],
  sequence: 7n,
  refreshHintS: 60,
});

/** A bundle that is read says the same when it is written and read again; a root is always an authority's. */
export const bundles: FuzzTarget = {
  name: "spiffe-bundles",
  seeds: [document, '{"keys":[]}', '{"keys":[{"kty":"EC","use":"jwt-svid","kid":"a"}]}'].map((text) =>
    Buffer.from(text),
  ),
  tokens: [
    '"keys":',
    "[",
    "{",
    '"x5c":',
    '"use":"x509-svid"',
    "null",
    "1e999",
    "18446744073709551616",
    '"__proto__":',
    "\\u0000",
  ],
  check(input) {
    const read = (text: string) => orRefused(() => parseSpiffeBundle(trustDomain, text), SpiffeBundleError);
    const first = read(input.toString("utf8"));
    if (!first) return;
    assert.ok(
      first.roots.every(
        ({ facts }) => facts.isCa && facts.uris.every((uri) => uri === `spiffe://${trustDomain}`),
      ),
    );
    const text = formatSpiffeBundle(first);
    const again = read(text);
    assert.ok(again && formatSpiffeBundle(again) === text, "written and read again");
  },
};
