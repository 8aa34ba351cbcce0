import { createHash, type KeyObject, X509Certificate } from "node:crypto";
import { type ExtensionFacts, readExtensions } from "./certificate-extensions.ts";
import { DerError, DerReader, tags } from "./der-reader.ts";
import { decodePem, encodePem } from "./pem.ts";

/** What decisions need to know of a certificate, read strictly from its DER. */
export interface CertificateFacts extends ExtensionFacts {
  /** Hexadecimal, lower-case. */
  readonly serial: string;
  readonly signatureOid: string;
  /** DER of the issuer's and the subject's name. */
  readonly issuerName: Buffer;
  readonly subjectName: Buffer;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** DER of the SubjectPublicKeyInfo. */
  readonly spki: Buffer;
}

/** One certificate: as OpenSSL sees it, for signatures, and its facts, for decisions. */
export interface Certificate {
  readonly x509: X509Certificate;
  readonly facts: CertificateFacts;
  readonly publicKey: KeyObject;
  readonly pem: string;
}

const certificateType = "CERTIFICATE";
const maxCertificateBytes = 16 * 1024;
/** The bounds of a chain or bundle that came from somebody else. */
export const maxChainLength = 8;

/** @throws DerError, or OpenSSL's error. */
export function parseCertificate(der: Buffer): Certificate {
  if (der.length > maxCertificateBytes)
    throw new DerError(`a certificate of more than ${maxCertificateBytes} bytes`);
  const facts = readCertificate(der);
  const x509 = new X509Certificate(der);
  return { x509, facts, publicKey: x509.publicKey, pem: encodePem(der, certificateType) };
}

/** Every certificate of a PEM text, in order; at least one. @throws PemError, DerError */
export function parseCertificates(pem: string, maxCount: number = maxChainLength): Certificate[] {
  const ders = decodePem(pem, certificateType, {
    maxBytes: maxCount * maxCertificateBytes * 2,
    maxBlocks: maxCount,
  });
  if (ders.length === 0) throw new DerError("there is no certificate");
  return ders.map(parseCertificate);
}

/** The base64url SHA-256 of a certificate's SubjectPublicKeyInfo: what a join token pins. */
export function spkiPin(certificate: Certificate): string {
  return createHash("sha256").update(certificate.facts.spki).digest("base64url");
}

function readCertificate(der: Buffer): CertificateFacts {
  const outer = new DerReader(der);
  const certificate = outer.enter(tags.sequence);
  outer.finish();
  const tbs = certificate.enter(tags.sequence);
  const signature = certificate.element(tags.sequence);
  certificate.bitString();
  certificate.finish();

  if (tbs.peekTag() !== 0xa0) throw new DerError("an X.509 certificate of version 1");
  const version = tbs.enter(0xa0);
  if (version.smallInteger(2) !== 2) throw new DerError("an X.509 certificate that is not of version 3");
  version.finish();
  const serial = tbs.integer().toString("hex");
  if (!tbs.element(tags.sequence).equals(signature)) throw new DerError("two different signature algorithms");
  const issuerName = tbs.element(tags.sequence);
  const validity = tbs.enter(tags.sequence);
  const notBeforeMs = readTime(validity);
  const notAfterMs = readTime(validity);
  validity.finish();
  const subjectName = tbs.element(tags.sequence);
  const spki = tbs.element(tags.sequence);
  if (tbs.peekTag() === 0x81) tbs.element();
  if (tbs.peekTag() === 0x82) tbs.element();
  const wrapper = tbs.peekTag() === 0xa3 ? tbs.enter(0xa3) : new DerReader(Buffer.of(tags.sequence, 0));
  const extensions = readExtensions(wrapper.enter(tags.sequence));
  wrapper.finish();
  tbs.finish();
  const signatureOid = new DerReader(signature).enter(tags.sequence).oid();
  return { ...extensions, serial, signatureOid, issuerName, subjectName, notBeforeMs, notAfterMs, spki };
}

const utcTime = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
const generalizedTime = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;

/** Only the forms RFC 5280 allows: with seconds, in UTC. */
function readTime(reader: DerReader): number {
  const isUtcTime = reader.peekTag() === tags.utcTime;
  const text = reader.content(isUtcTime ? tags.utcTime : tags.generalizedTime).toString("latin1");
  const parts = (isUtcTime ? utcTime : generalizedTime).exec(text)?.slice(1).map(Number);
  if (!parts) throw new DerError("a time that is not in UTC with seconds");
  const [year, month, day, hour, minute, second] = parts as [number, number, number, number, number, number];
  const fullYear = isUtcTime ? year + (year < 50 ? 2000 : 1900) : year;
  return Date.UTC(fullYear, month - 1, day, hour, minute, second);
}
