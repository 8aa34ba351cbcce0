import { X509Certificate } from "node:crypto";

/** So many in one place. */
export const maxCertificates = 100;
const maxLength = 256 * 1024;

const pemCertificate = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates of a text in PEM; undefined where there is none, or one that cannot be read. */
export function parseCertificates(text: string): X509Certificate[] | undefined {
  if (text.length > maxLength) return undefined;
  const texts = text.match(pemCertificate) ?? [];
  if (texts.length === 0 || texts.length > maxCertificates) return undefined;
  try {
    return texts.map((one) => new X509Certificate(one));
  } catch {
    // What OpenSSL says of it could quote it.
    return undefined;
  }
}
