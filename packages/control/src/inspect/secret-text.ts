import { X509Certificate } from "node:crypto";
import { stringify } from "yaml";
import type { TlsSecretSpec } from "../config/read-secret.ts";
import type { ConfigResource } from "../config/resource.ts";

/**
 * What is told of a Secret in place of how it was written, comments and
 * annotations of which could repeat it: whose certificate it holds, and no value.
 */
export function secretText(resource: ConfigResource): string {
  const { apiVersion, kind, name, namespace, labels } = resource;
  const { certificate, trust } = resource.spec as TlsSecretSpec;
  return stringify({
    apiVersion,
    kind,
    metadata: { name, namespace, ...(Object.keys(labels).length > 0 ? { labels } : {}) },
    // No field of a Secret: this text cannot be applied in place of the one that was written.
    holds: {
      ...(certificate ? { certificate: facts(certificate.chain), key: "(private)" } : {}),
      ...(trust ? { ca: facts(trust.ca), ...(trust.crl ? { crl: "(revocation list)" } : {}) } : {}),
    },
  });
}

/** The text of a resource as anybody may see it who may look at configuration. */
export function shownText({ resource, text }: { resource: ConfigResource; text: { text: string } }): string {
  return resource.kind === "Secret" ? secretText(resource) : text.text;
}

/** Of the first certificate, which was read before. */
function facts(pem: string) {
  const { subject, subjectAltName, validTo, fingerprint256 } = new X509Certificate(pem);
  return { subject, names: subjectAltName, validTo, sha256: fingerprint256 };
}
