import { createHash, generateKeyPairSync, type KeyObject, sign, X509Certificate } from "node:crypto";
import { elementAt, encode, tags, valuesIn, wholeOf } from "./der.ts";

/** The roots that vouch for the identities of one SPIFFE trust domain, and for no others. */
export interface DomainRoots {
  /** Of the trust domain. */
  readonly name: string;
  /** PEM. */
  readonly roots: Buffer;
}

const certificateBlock = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const sha256WithEcdsa = encode(tags.sequence, objectId(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02));
const authorityKeyId = [0x55, 0x1d, 0x23];
const version3 = encode(tags.version, encode(tags.integer, Buffer.of(2)));
const isTrue = encode(tags.boolean, Buffer.of(0xff));

/**
 * Trust anchors by which OpenSSL verifies each certificate under the roots of its
 * own trust domain alone.
 *
 * OpenSSL has one store for all peers of a context, and Node tells a server
 * nothing of the chain it verified. So no root is put into the store itself, but
 * two certificates that are made here: an authority whose name constraint
 * permits URI names of the root's trust domains only, and the root once more, as
 * issued by it. A chain ends in the first, and a name of another domain fails
 * the handshake (RFC 5280 §4.2.1.10). Their key is made for this and thrown away.
 *
 * @returns PEM, for `ca` of a context
 * @throws Error for what holds no certificates
 */
export function domainAnchors(domains: readonly DomainRoots[]): Buffer {
  const byRoot = new Map<string, { readonly root: X509Certificate; readonly names: string[] }>();
  for (const { name, roots } of domains) {
    for (const root of readRoots(roots)) {
      // Two domains may have one root between them: it vouches for both.
      const entry = byRoot.get(root.fingerprint256) ?? { root, names: [] };
      entry.names.push(name);
      byRoot.set(root.fingerprint256, entry);
    }
  }
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const anchors = [...byRoot.values()].flatMap(({ root, names }) => anchorsOf(root, names, keys));
  return Buffer.from(anchors.map((der) => new X509Certificate(der).toString()).join(""));
}

/** The certificates of a PEM text, at least one. @throws Error */
export function readRoots(pem: Buffer): X509Certificate[] {
  const blocks = pem.toString("latin1").match(certificateBlock) ?? [];
  if (blocks.length === 0) throw new Error("it holds no certificate");
  return blocks.map((block) => new X509Certificate(block));
}

interface Keys {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

function anchorsOf(root: X509Certificate, domains: readonly string[], keys: Keys): Buffer[] {
  const { serial, validity, subject, spki, extensions } = partsOf(root);
  const digest = createHash("sha256").update(root.raw).digest("hex");
  const name = commonName(`weft ${digest.slice(0, 48)}`);
  const permitted = domains.map((domain) =>
    encode(tags.sequence, encode(0x86, Buffer.from(domain, "latin1"))),
  );
  const constrained = [
    extension([0x55, 0x1d, 0x13], encode(tags.sequence, isTrue)),
    extension([0x55, 0x1d, 0x1e], encode(tags.sequence, encode(0xa0, ...permitted))),
  ];
  const own = keys.publicKey.export({ type: "spki", format: "der" });
  const issue = (subjectName: Uint8Array, key: Uint8Array, has: readonly Uint8Array[]): Buffer => {
    const tbs = encode(
      tags.sequence,
      ...[version3, serial, sha256WithEcdsa, name, validity, subjectName, key],
      encode(tags.extensions, encode(tags.sequence, ...has)),
    );
    const signature = encode(tags.bitString, Buffer.of(0), sign("sha256", tbs, keys.privateKey));
    return encode(tags.sequence, tbs, sha256WithEcdsa, signature);
  };
  return [issue(name, own, constrained), issue(subject, spki, extensions)];
}

/** What of a root its double keeps: all but who issued it. */
function partsOf({ raw, subject: text }: X509Certificate) {
  const tbs = valuesIn(elementAt(raw, 0))[0]!;
  const fields = valuesIn(tbs);
  const list = fields.find(({ tag }) => tag === tags.extensions);
  if (fields[0]?.tag !== tags.version || !list) throw new Error(`${text} is no certificate of version 3`);
  const [serial, , , validity, subject, spki] = fields.slice(1).map((field) => wholeOf(tbs, field));
  const sequence = elementAt(list.content, 0);
  const extensions = valuesIn(sequence).flatMap((one) =>
    Buffer.from(authorityKeyId).equals(valuesIn(one)[0]?.content ?? Buffer.alloc(0))
      ? []
      : wholeOf(sequence, one),
  );
  return { serial: serial!, validity: validity!, subject: subject!, spki: spki!, extensions };
}

function commonName(text: string): Buffer {
  const attribute = [objectId(0x55, 0x04, 0x03), encode(tags.utf8String, Buffer.from(text))];
  return encode(tags.sequence, encode(tags.set, encode(tags.sequence, ...attribute)));
}

/** A critical one. */
function extension(id: readonly number[], value: Buffer): Buffer {
  return encode(tags.sequence, objectId(...id), isTrue, encode(tags.octetString, value));
}

function objectId(...bytes: readonly number[]): Buffer {
  return encode(tags.objectId, Buffer.from(bytes));
}
