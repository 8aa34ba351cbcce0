import { createHash, type KeyObject, randomBytes, sign } from "node:crypto";
import { type Certificate, parseCertificate } from "./certificate.ts";
import { DerReader, tags } from "./der-reader.ts";
import {
  bitString,
  derTrue,
  element,
  octetString,
  oid,
  sequence,
  time,
  unsignedInteger,
} from "./der-writer.ts";
import { oids } from "./oids.ts";

/** Names in a SubjectAltName. */
export interface SubjectNames {
  readonly uris: readonly string[];
  readonly dnsNames?: readonly string[];
}

/** Everything that goes into a certificate but its signature. */
export interface CertificateContent {
  /** DER of the names; `emptyName` for a subject known only by its SAN. */
  readonly issuerName: Buffer;
  readonly subjectName: Buffer;
  readonly spki: Buffer;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly names: SubjectNames;
  readonly isCa: boolean;
  readonly pathLength?: number;
  /** Bits of `keyUsages`. */
  readonly keyUsage: number;
  readonly extendedKeyUsages?: readonly string[];
  /** Key identifier of the issuer, hexadecimal; absent on a self-signed certificate. */
  readonly issuerKeyId?: string;
}

export const emptyName: Buffer = sequence();

/** The DER of a name of organization and common name. */
export function buildName(organization: string, commonName: string): Buffer {
  const part = (type: string, text: string) =>
    element(tags.set, sequence(oid(type), element(tags.utf8String, Buffer.from(text))));
  return sequence(part(oids.organization, organization), part(oids.commonName, commonName));
}

/**
 * Signs a certificate with a random 128-bit serial number and returns it as
 * read back from its own bytes. It enforces no profile: see `profiles.ts`.
 */
export function buildCertificate(content: CertificateContent, signingKey: KeyObject): Certificate {
  const { hash, identifier } = signatureOf(signingKey);
  const tbs = sequence(
    element(0xa0, unsignedInteger(Buffer.of(2))),
    unsignedInteger(randomSerial()),
    identifier,
    content.issuerName,
    sequence(time(content.notBeforeMs), time(content.notAfterMs)),
    content.subjectName,
    content.spki,
    element(0xa3, sequence(...extensionsOf(content))),
  );
  return parseCertificate(sequence(tbs, identifier, bitString(sign(hash, tbs, signingKey))));
}

/** Key identifier of a public key (RFC 7093, method 1), hexadecimal. */
export function keyIdOf(spki: Buffer): string {
  const reader = new DerReader(spki).enter(tags.sequence);
  reader.element(tags.sequence);
  return createHash("sha256").update(reader.bitString().bits).digest("hex").slice(0, 40);
}

/** DER of `Extensions`' members that a request for these names carries. */
export function buildSubjectAltName(names: SubjectNames, isCritical: boolean): Buffer {
  return extension(
    oids.subjectAltName,
    isCritical,
    sequence(
      ...names.uris.map((uri) => element(0x86, Buffer.from(uri, "latin1"))),
      ...(names.dnsNames ?? []).map((name) => element(0x82, Buffer.from(name, "latin1"))),
    ),
  );
}

/** The signature algorithm a key signs with. */
export function signatureOf(key: KeyObject): { readonly hash: string; readonly identifier: Buffer } {
  if (key.asymmetricKeyType === "rsa") {
    return { hash: "sha256", identifier: sequence(oid("1.2.840.113549.1.1.11"), Buffer.of(0x05, 0)) };
  }
  if (key.asymmetricKeyDetails?.namedCurve === "secp384r1") {
    return { hash: "sha384", identifier: sequence(oid("1.2.840.10045.4.3.3")) };
  }
  return { hash: "sha256", identifier: sequence(oid("1.2.840.10045.4.3.2")) };
}

/** Unguessable, so that nobody can prepare a collision; the leading 1 keeps its length the same. */
function randomSerial(): Buffer {
  const serial = randomBytes(16);
  serial[0] = serial[0]! | 0x80;
  return serial;
}

function extensionsOf(content: CertificateContent): Buffer[] {
  const constraints = content.isCa
    ? [derTrue, ...(content.pathLength === undefined ? [] : [unsignedInteger(Buffer.of(content.pathLength))])]
    : [];
  const found = [
    extension(oids.basicConstraints, true, sequence(...constraints)),
    extension(oids.keyUsage, true, bitString(Buffer.of(content.keyUsage), unusedBits(content.keyUsage))),
    extension(oids.subjectKeyIdentifier, false, octetString(Buffer.from(keyIdOf(content.spki), "hex"))),
  ];
  if (content.extendedKeyUsages) {
    found.push(extension(oids.extendedKeyUsage, false, sequence(...content.extendedKeyUsages.map(oid))));
  }
  if (content.issuerKeyId !== undefined) {
    const keyId = element(0x80, Buffer.from(content.issuerKeyId, "hex"));
    found.push(extension(oids.authorityKeyIdentifier, false, sequence(keyId)));
  }
  const hasNames = content.names.uris.length + (content.names.dnsNames?.length ?? 0) > 0;
  // RFC 5280, 4.2.1.6: critical when there is no other name.
  if (hasNames) found.push(buildSubjectAltName(content.names, content.subjectName.equals(emptyName)));
  return found;
}

function extension(type: string, isCritical: boolean, value: Buffer): Buffer {
  return sequence(oid(type), ...(isCritical ? [derTrue] : []), octetString(value));
}

/** DER drops the trailing zero bits of a named bit list. */
function unusedBits(bits: number): number {
  let unused = 0;
  while (unused < 7 && (bits & (1 << unused)) === 0) unused += 1;
  return unused;
}
