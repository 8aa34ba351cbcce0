import type { KeyObject } from "node:crypto";
import { createPublicKey, randomBytes } from "node:crypto";
import { buildCertificate, buildName, emptyName, keyIdOf } from "./build-certificate.ts";
import type { Certificate } from "./certificate.ts";
import { type KeyPair, spkiOf } from "./key-pair.ts";
import { keyUsages, oids } from "./oids.ts";
import { type SpiffeId, type TrustDomain, trustDomainId } from "./spiffe-id.ts";

/** A certificate that signs others, with its key. */
export interface Issuer {
  readonly certificate: Certificate;
  readonly privateKey: KeyObject;
}

export interface Validity {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** How far before its issuance a certificate is valid, for peers whose clocks are behind. */
export const backdateMs = 30_000;

/**
 * A self-signed root of one trust domain. It carries the domain's own SPIFFE
 * ID, and a name with a random part, so that two roots of one domain are told
 * apart while one replaces the other.
 */
export function issueRoot(keys: KeyPair, trustDomain: TrustDomain, validity: Validity): Certificate {
  const name = buildName("Weft", `Weft root ${randomBytes(4).toString("hex")}`);
  return buildCertificate(
    {
      ...caContent(keys.publicKey, trustDomain, validity),
      issuerName: name,
      subjectName: name,
    },
    keys.privateKey,
  );
}

/** A signing certificate below a root or another intermediate; it can issue leaves only. */
export function issueIntermediate(
  issuer: Issuer,
  publicKey: KeyObject,
  trustDomain: TrustDomain,
  validity: Validity,
): Certificate {
  return buildCertificate(
    {
      ...caContent(publicKey, trustDomain, withinIssuer(issuer, validity)),
      issuerName: issuer.certificate.facts.subjectName,
      subjectName: buildName("Weft", `Weft intermediate ${randomBytes(4).toString("hex")}`),
      issuerKeyId: issuer.certificate.facts.keyId,
      pathLength: 0,
    },
    issuer.privateKey,
  );
}

/**
 * Another certificate for a root, by the root it replaces: a way to the new
 * one for whoever knows only the old. It lives as long as both of them.
 */
export function crossSign(issuer: Issuer, root: Certificate): Certificate {
  const { subjectName, spki, uris, keyUsage = keyUsages.keyCertSign, notBeforeMs, notAfterMs } = root.facts;
  return buildCertificate(
    {
      ...withinIssuer(issuer, { notBeforeMs, notAfterMs }),
      issuerName: issuer.certificate.facts.subjectName,
      subjectName,
      spki,
      names: { uris },
      isCa: true,
      keyUsage,
      issuerKeyId: issuer.certificate.facts.keyId,
      pathLength: root.facts.pathLength,
    },
    issuer.privateKey,
  );
}

export interface LeafRequest extends Validity {
  readonly spiffeId: SpiffeId;
  /** DER of the SubjectPublicKeyInfo to certify. */
  readonly spki: Buffer;
  /** Only on the control plane's own certificate. */
  readonly dnsNames?: readonly string[];
}

/**
 * An X.509-SVID: one URI name, no subject, not a CA, for both ends of TLS.
 * Never outlives its issuer.
 *
 * @see https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md
 */
export function issueLeaf(issuer: Issuer, request: LeafRequest): Certificate {
  const isRsa =
    createPublicKey({ key: request.spki, format: "der", type: "spki" }).asymmetricKeyType === "rsa";
  return buildCertificate(
    {
      ...withinIssuer(issuer, request),
      issuerName: issuer.certificate.facts.subjectName,
      subjectName: emptyName,
      spki: request.spki,
      names: { uris: [request.spiffeId], dnsNames: request.dnsNames },
      isCa: false,
      keyUsage: isRsa ? keyUsages.digitalSignature | keyUsages.keyEncipherment : keyUsages.digitalSignature,
      extendedKeyUsages: [oids.serverAuth, oids.clientAuth],
      issuerKeyId: issuer.certificate.facts.keyId ?? keyIdOf(issuer.certificate.facts.spki),
    },
    issuer.privateKey,
  );
}

function caContent(publicKey: KeyObject, trustDomain: TrustDomain, validity: Validity) {
  return {
    ...validity,
    spki: spkiOf(publicKey),
    names: { uris: [trustDomainId(trustDomain)] },
    isCa: true,
    keyUsage: keyUsages.keyCertSign | keyUsages.crlSign,
  };
}

function withinIssuer({ certificate: { facts } }: Issuer, validity: Validity): Validity {
  return {
    notBeforeMs: Math.max(validity.notBeforeMs, facts.notBeforeMs),
    notAfterMs: Math.min(validity.notAfterMs, facts.notAfterMs),
  };
}
