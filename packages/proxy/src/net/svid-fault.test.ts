import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { describe, it } from "node:test";
import { TestCa } from "@weft/testkit/test-ca";
import { PeerCertificate } from "./peer-certificate.ts";
import { svidFault } from "./svid-fault.ts";

const authority = new TestCa();
const bad = authority.badLeaves();

function faultOf(pem: string): string | undefined {
  const certificate = new X509Certificate(pem);
  return svidFault(certificate, new PeerCertificate(certificate));
}

/** A self-signed certificate as openssl makes one. */
function made(...extensions: readonly string[]): string {
  const flags = extensions.flatMap((extension) => ["-addext", extension]);
  const args = ["req", "-new", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  return execFileSync(
    "openssl",
    [...args, "-keyout", "/dev/null", "-subj", "/CN=a", "-days", "1", ...flags],
    {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
}

describe("a certificate with a SPIFFE ID", () => {
  const id = "subjectAltName=URI:spiffe://a/ns/b/sa/c";
  const leaf = "basicConstraints=critical,CA:false";

  it("speaks for a workload when it is a leaf's", () => {
    assert.equal(faultOf(authority.leaf().chainPem), undefined);
    assert.equal(faultOf(made(id, leaf)), undefined);
    assert.equal(faultOf(made(id, leaf, "keyUsage=digitalSignature,keyAgreement")), undefined);
    assert.equal(
      faultOf(made(id, leaf, "keyUsage=critical,digitalSignature,decipherOnly,keyAgreement")),
      undefined,
    );
  });

  const refused: readonly [what: string, pem: () => string, why: RegExp][] = [
    ["of two", () => bad.twoSans.chainPem, /more than one URI name/],
    ["of an authority", () => bad.caFlagged.chainPem, /may sign others/],
    ["of a key that may sign certificates", () => bad.mayCertify.chainPem, /may sign others/],
    ["of a key that may sign revocation lists", () => made(id, leaf, "keyUsage=cRLSign"), /may sign others/],
    ["that openssl made for an authority", () => made(id), /may sign others/],
  ];
  for (const [what, pem, why] of refused) {
    it(`does not when it is one ${what}`, () => assert.match(faultOf(pem()) ?? "", why));
  }

  it("is no workload's business without a SPIFFE ID", () => {
    assert.equal(faultOf(made("subjectAltName=DNS:a.example,URI:https://a,URI:https://b")), undefined);
  });
});
