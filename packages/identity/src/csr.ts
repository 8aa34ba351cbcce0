import { sign } from "node:crypto";
import { buildSubjectAltName, emptyName, signatureOf } from "./build-certificate.ts";
import { tags } from "./der-reader.ts";
import { bitString, element, oid, sequence, unsignedInteger } from "./der-writer.ts";
import { type KeyPair, spkiOf } from "./key-pair.ts";
import { oids } from "./oids.ts";
import { encodePem } from "./pem.ts";
import type { SpiffeId } from "./spiffe-id.ts";

/** A PKCS #10 request (RFC 2986), as PEM, for a certificate of this identity; signed with the key it asks for. */
export function createCsr(keys: KeyPair, spiffeId: SpiffeId, dnsNames?: readonly string[]): string {
  const { hash, identifier } = signatureOf(keys.privateKey);
  const extensions = sequence(buildSubjectAltName({ uris: [spiffeId], dnsNames }, true));
  const info = sequence(
    unsignedInteger(Buffer.of(0)),
    emptyName,
    spkiOf(keys.publicKey),
    element(0xa0, sequence(oid(oids.extensionRequest), element(tags.set, extensions))),
  );
  const signature = bitString(sign(hash, info, keys.privateKey));
  return encodePem(sequence(info, identifier, signature), "CERTIFICATE REQUEST");
}
