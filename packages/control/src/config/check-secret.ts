import { createPrivateKey, type KeyObject, type X509Certificate } from "node:crypto";
import type { Finding } from "./finding.ts";
import { joinPath } from "./origins.ts";
import { maxCertificates, parseCertificates } from "./parse-certificates.ts";
import { type FoundPart, findPart, type SecretPart, type SecretSpec } from "./read-secret.ts";

const maxBytes = 256 * 1024;

/**
 * Refuses what no gateway could serve, so that a bad renewal leaves the
 * certificate before it in force. Says where, and nothing of the content.
 */
export function checkSecret(spec: SecretSpec, find: Finding): void {
  const text = (part: SecretPart): FoundPart | undefined => {
    const found = findPart(spec, part);
    return found && isReadable(found, find) ? found : undefined;
  };
  if (spec.type === "kubernetes.io/tls") {
    for (const key of ["tls.crt", "tls.key"]) {
      if (spec.data?.[key] !== undefined || spec.stringData?.[key] !== undefined) continue;
      find.error(
        "W1104",
        "data",
        `${joinPath("data", key)} is missing`,
        "kubernetes.io/tls needs tls.crt and tls.key",
      );
    }
  }
  const chain = text("chain");
  const key = text("key");
  const certificates = chain && readCertificates(chain, find);
  const privateKey = key && readKey(key, find);
  if (certificates && privateKey && !certificates[0]!.checkPrivateKey(privateKey)) {
    const hint = "put the certificate of that key first, its issuers after it";
    find.error("W1215", pathOf(key), `${pathOf(key)} is not the key of the certificate`, hint);
  }
  const ca = text("ca");
  if (ca) readCertificates(ca, find);
  const crl = text("crl");
  if (crl && !/-----BEGIN X509 CRL-----/.test(crl.text)) {
    find.error("W1215", pathOf(crl), `${pathOf(crl)} holds no revocation list`, "write it as PEM (X509 CRL)");
  }
}

function isReadable(part: FoundPart, find: Finding): boolean {
  const { field, text, written } = part;
  if (text.length > maxBytes) {
    find.error("W1215", pathOf(part), `${pathOf(part)} has more than ${maxBytes / 1024} KiB`);
    return false;
  }
  if (field === "data" && !/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(written)) {
    find.error("W1215", pathOf(part), `${pathOf(part)} is not base64`, "write plain text under stringData");
    return false;
  }
  return true;
}

function readCertificates(part: FoundPart, find: Finding): X509Certificate[] | undefined {
  const certificates = parseCertificates(part.text);
  if (certificates) return certificates;
  const hint = `PEM, with at most ${maxCertificates} certificates`;
  find.error("W1215", pathOf(part), `${pathOf(part)} holds no certificate that can be read`, hint);
  return undefined;
}

function readKey(part: FoundPart, find: Finding): KeyObject | undefined {
  try {
    return createPrivateKey(part.text);
  } catch {
    const hint = "PEM, without a passphrase";
    find.error("W1215", pathOf(part), `${pathOf(part)} holds no private key that can be read`, hint);
    return undefined;
  }
}

function pathOf({ field, key }: FoundPart): string {
  return joinPath(field, key);
}
