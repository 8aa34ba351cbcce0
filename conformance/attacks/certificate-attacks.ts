import type { TestSvid } from "@weft/testkit/test-ca";
import { request } from "../policies/raw-client.ts";
import { badLeaves, onHttp, onTcp, stranger, takenByEnvoy } from "./guarded-scene.ts";

const area = "certificate";
const named: readonly [what: string, svid: TestSvid][] = [
  ["expired", badLeaves.expired],
  ["not valid yet", badLeaves.notYetValid],
  ["of another trust domain, by the same root", badLeaves.wrongTrustDomain],
  ["of an authority", badLeaves.caFlagged],
  ["that may sign others", badLeaves.mayCertify],
  ["without a name", badLeaves.sanLess],
  ["with a DNS name only", badLeaves.dnsOnly],
  ["with two identities", badLeaves.twoSans],
  ["with a path that climbs", badLeaves.badId],
  ["of the trust domain itself", badLeaves.trustDomainOnly],
  ["by a foreign root of the same name", badLeaves.foreignRoot],
  ["with a forged signature", badLeaves.forgedSignature],
  ["signed by a stolen leaf", badLeaves.signedByLeaf],
  ["signed by a certificate that is no authority", badLeaves.signedByNonCa],
  ["of a member that may not call", stranger],
];

/** Whoever claims to be the caller that is allowed, and cannot prove it. */
export const certificateAttacks = takenByEnvoy(
  [
    ...named.map(([what, svid]) => onHttp(area, what, request("GET /"), { tls: { svid } })),
    ...named.map(([what, svid]) => onTcp(`${area}, TCP`, what, { tls: { svid } })),
    onHttp(area, "none at all", request("GET /"), { tls: {} }),
    onTcp(`${area}, TCP`, "none at all", { tls: {} }),
  ],
  /^with two identities$/,
  "only the mesh's own authority could sign one, and it verifies what it signs",
);

/** Without TLS, where mutual TLS is demanded. */
export const plaintextAttacks = [
  onHttp("plaintext", "HTTP/1.1", request("GET /"), {}),
  onHttp("plaintext", "HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", {
    endsAfterwards: true,
  }),
  onHttp("plaintext", "bytes that look like TLS", "\x16\x03\x01\0\x05GET /\r\n\r\n", {
    endsAfterwards: true,
  }),
  onHttp(
    "plaintext",
    "a PROXY header with a trusted name",
    `PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n${request("GET /")}`,
    {},
  ),
  onTcp("plaintext", "TCP", {}),
];
