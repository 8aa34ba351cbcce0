import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { messageOf } from "@weft/base/errors";
import { type ExtensionFacts, readExtensions } from "./certificate-extensions.ts";
import { DerReader, tags } from "./der-reader.ts";
import { keyWeakness, spkiOf } from "./key-pair.ts";
import { oids, signatureHashes } from "./oids.ts";
import { decodePem } from "./pem.ts";
import { parseSpiffeId, type SpiffeId } from "./spiffe-id.ts";

/** A request whose sender proved to hold the key, for exactly one SPIFFE ID. Who may have it is not decided here. */
export interface VerifiedCsr {
  readonly spiffeId: SpiffeId;
  readonly publicKey: KeyObject;
  /** DER of the SubjectPublicKeyInfo. */
  readonly spki: Buffer;
}

/** A request that cannot be certified; the message says why, for the one who sent it. */
export class CsrError extends Error {
  override readonly name = "CsrError";
}

export const maxCsrBytes = 16 * 1024;

/** What a request may ask for beside its name; the issuer's profile decides what is granted. */
const allowedExtensions: readonly string[] = [
  oids.subjectAltName,
  oids.keyUsage,
  oids.extendedKeyUsage,
  oids.basicConstraints,
  oids.subjectKeyIdentifier,
];

/**
 * Reads and checks a PKCS #10 request: its size, its form, the strength of its
 * key, its signature, and that it names one SPIFFE ID and nothing else. The
 * subject is allowed and not copied into the certificate: identity is the ID.
 *
 * @throws CsrError
 */
export function verifyCsr(pem: string): VerifiedCsr {
  const { info, infoBytes, signatureOid, signature } = open(pem);
  const { spki, extensions } = attempt("the certificate request is malformed", () => readInfo(info));
  const publicKey = attempt("the public key of the request cannot be read", () =>
    createPublicKey({ key: spki, format: "der", type: "spki" }),
  );
  const weakness = keyWeakness(publicKey);
  if (weakness) throw new CsrError(`the request is for ${weakness}`);
  if (!spkiOf(publicKey).equals(spki)) throw new CsrError("the public key is not encoded as DER asks");
  const hash = signatureHashes.get(signatureOid);
  if (!hash) throw new CsrError(`the request is signed with ${signatureOid}; use ECDSA with SHA-256`);
  const isSigned = attempt("the signature of the request cannot be checked", () =>
    verify(hash, infoBytes, publicKey, signature),
  );
  if (!isSigned) throw new CsrError("the request is not signed by the key it is for");
  return { spiffeId: onlyName(extensions), publicKey, spki };
}

function open(pem: string) {
  return attempt("the certificate request is malformed", () => {
    const [der] = decodePem(pem, "CERTIFICATE REQUEST", { maxBytes: maxCsrBytes, maxBlocks: 1 });
    if (!der) throw new CsrError("it is empty");
    const outer = new DerReader(der);
    const request = outer.enter(tags.sequence);
    outer.finish();
    const infoBytes = request.element(tags.sequence);
    const signatureOid = request.enter(tags.sequence).oid();
    const { bits, unused } = request.bitString();
    if (unused !== 0) throw new CsrError("a bad signature");
    request.finish();
    return { info: new DerReader(infoBytes).enter(tags.sequence), infoBytes, signatureOid, signature: bits };
  });
}

function readInfo(info: DerReader): { spki: Buffer; extensions: ExtensionFacts } {
  info.smallInteger(0);
  info.element(tags.sequence);
  const spki = info.element(tags.sequence);
  const attributes = info.isEmpty ? undefined : info.enter(0xa0);
  info.finish();
  if (!attributes || attributes.isEmpty)
    throw new CsrError("it asks for no SPIFFE ID in a subject alternative name");
  const attribute = attributes.enter(tags.sequence);
  const type = attribute.oid();
  if (type !== oids.extensionRequest || !attributes.isEmpty) {
    throw new CsrError("it has attributes other than one extension request");
  }
  const values = attribute.enter(tags.set);
  attribute.finish();
  const extensions = readExtensions(values.enter(tags.sequence));
  values.finish();
  return { spki, extensions };
}

function onlyName(extensions: ExtensionFacts): SpiffeId {
  const foreign = extensions.present.find((oid) => !allowedExtensions.includes(oid));
  if (foreign) throw new CsrError(`the request asks for the extension ${foreign}, which is not granted`);
  if (extensions.isCa) throw new CsrError("the request asks for a certificate authority");
  const [uri, second] = extensions.uris;
  if (uri === undefined) throw new CsrError("the request names no SPIFFE ID in a subject alternative name");
  if (second !== undefined) throw new CsrError("the request names more than one URI");
  if (extensions.dnsNames.length + extensions.otherNames > 0) {
    throw new CsrError("the request names more than its SPIFFE ID; leave DNS names and addresses out");
  }
  return attempt("the name in the request is no SPIFFE ID", () => parseSpiffeId(uri));
}

function attempt<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw new CsrError(`${what}: ${messageOf(error)}`, { cause: error });
  }
}
