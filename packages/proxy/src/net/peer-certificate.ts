import { createHash, type X509Certificate } from "node:crypto";
import type { PeerIdentity } from "./tls-plan.ts";

/**
 * The names of a certificate, read once per connection. They are claims unless
 * its chain has been verified: see `AcceptedTls`.
 */
export class PeerCertificate implements PeerIdentity {
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly emails: readonly string[];
  readonly subject: string;
  readonly fingerprint: string;
  readonly #certificate: X509Certificate;

  constructor(certificate: X509Certificate) {
    const names = parseSubjectAltName(certificate.subjectAltName ?? "");
    this.uris = names.uris;
    this.dnsNames = names.dnsNames;
    this.ipAddresses = names.ipAddresses;
    this.emails = names.emails;
    this.subject = rfc2253(certificate.subject);
    this.fingerprint = certificate.fingerprint256.replaceAll(":", "").toLowerCase();
    this.#certificate = certificate;
  }

  get spki(): string {
    const key = this.#certificate.publicKey.export({ type: "spki", format: "der" });
    return createHash("sha256").update(key).digest("base64");
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
function parseSubjectAltName(text: string) {
  const names: Record<"uris" | "dnsNames" | "ipAddresses" | "emails", string[]> = {
    uris: [],
    dnsNames: [],
    ipAddresses: [],
    emails: [],
  };
  const pattern = /(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)/g;
  for (const [, kind, value] of text.matchAll(pattern)) {
    const plain = value!.startsWith('"') ? (JSON.parse(value!) as string) : value!;
    const list = nameKinds[kind!];
    if (list) names[list].push(plain);
  }
  return names;
}

const nameKinds: Readonly<Record<string, "uris" | "dnsNames" | "ipAddresses" | "emails">> = {
  URI: "uris",
  DNS: "dnsNames",
  "IP Address": "ipAddresses",
  email: "emails",
};

/** A certificate for `*.example.com` covers `a.example.com`, one label only (RFC 6125 §6.4.3). */
export function coversHost(name: string, host: string): boolean {
  const lower = host.toLowerCase();
  if (!name.startsWith("*.")) return name.toLowerCase() === lower;
  const dot = lower.indexOf(".");
  return dot > 0 && lower.slice(dot) === name.slice(1).toLowerCase();
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
