import { X509Certificate } from "node:crypto";
import { givenRoots, type SecretMaterial, type TlsContexts } from "../config/tls-contexts.ts";

/** Certificates in use, in the shape of Envoy's `/certs`. */
export function certificatesView(tls: TlsContexts, nowMs: number): unknown {
  const seen = new Set<string>();
  const certificates: unknown[] = [];
  for (const secret of tls.certificates()) {
    const text = textOf(secret);
    if (seen.has(text)) continue;
    seen.add(text);
    const details = splitPem(text).map((one) => describe(new X509Certificate(one), nowMs));
    certificates.push(
      secret.kind === "certificate"
        ? { ca_cert: [], cert_chain: details }
        : { ca_cert: details, cert_chain: [] },
    );
  }
  return { certificates };
}

/** PEM of each of them. */
export function* certificateTexts(tls: TlsContexts): Iterable<string> {
  for (const secret of tls.certificates()) yield textOf(secret);
}

function textOf(secret: SecretMaterial): string {
  const pem = secret.kind === "certificate" ? secret.certificate.chain : givenRoots(secret.trust);
  return pem.toString("latin1");
}

function splitPem(text: string): readonly string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}

function describe(certificate: X509Certificate, nowMs: number): unknown {
  const expires = new Date(certificate.validTo);
  const days = Math.max(0, Math.floor((expires.getTime() - nowMs) / 86_400_000));
  return {
    serial_number: certificate.serialNumber.toLowerCase(),
    subject_alt_names: alternativeNames(certificate),
    days_until_expiration: String(days),
    valid_from: new Date(certificate.validFrom).toISOString(),
    expiration_time: expires.toISOString(),
  };
}

function alternativeNames(certificate: X509Certificate): readonly unknown[] {
  const fields: Readonly<Record<string, string>> = { URI: "uri", DNS: "dns", "IP Address": "ip_address" };
  return (certificate.subjectAltName ?? "").split(", ").flatMap((entry) => {
    const colon = entry.indexOf(":");
    const field = fields[entry.slice(0, colon)];
    return field ? [{ [field]: entry.slice(colon + 1) }] : [];
  });
}
