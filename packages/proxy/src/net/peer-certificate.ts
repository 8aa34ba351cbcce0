import type { X509Certificate } from "node:crypto";
import type { PeerIdentity } from "./tls-plan.ts";

/**
 * The names of a certificate, read once per connection. Only build it from a
 * certificate whose chain has been verified.
 */
export class PeerCertificate implements PeerIdentity {
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  readonly subject: string;
  readonly fingerprint: string;
  readonly #certificate: X509Certificate;

  constructor(certificate: X509Certificate) {
    const names = parseSubjectAltName(certificate.subjectAltName ?? "");
    this.uris = names.uris;
    this.dnsNames = names.dnsNames;
    this.subject = rfc2253(certificate.subject);
    this.fingerprint = certificate.fingerprint256.replaceAll(":", "").toLowerCase();
    this.#certificate = certificate;
  }

  get pem(): string {
    return this.#certificate.toString();
  }

  get chainPem(): string {
    let pem = "";
    let next: X509Certificate | undefined = this.#certificate;
    for (let depth = 0; next && depth < 10; depth++) {
      pem += next.toString();
      const issuer: X509Certificate | undefined = next.issuerCertificate;
      next = issuer && issuer.fingerprint256 !== next.fingerprint256 ? issuer : undefined;
    }
    return pem;
  }
}

/** Splits Node's rendering (`URI:a, DNS:b, DNS:"c, d"`); values with special characters come JSON-quoted. */
function parseSubjectAltName(text: string): { uris: string[]; dnsNames: string[] } {
  const uris: string[] = [];
  const dnsNames: string[] = [];
  const pattern = /(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)/g;
  for (const [, kind, value] of text.matchAll(pattern)) {
    const plain = value!.startsWith('"') ? (JSON.parse(value!) as string) : value!;
    if (kind === "URI") uris.push(plain);
    else if (kind === "DNS") dnsNames.push(plain);
  }
  return { uris, dnsNames };
}

/** Node's one-attribute-per-line subject, most specific first and escaped as RFC 2253 says. */
function rfc2253(subject: string | undefined): string {
  if (!subject) return "";
  return subject
    .split("\n")
    .reverse()
    .map((attribute) => {
      const at = attribute.indexOf("=");
      return `${attribute.slice(0, at)}=${attribute.slice(at + 1).replace(/[,+"\\<>;]/g, "\\$&")}`;
    })
    .join(",");
}
