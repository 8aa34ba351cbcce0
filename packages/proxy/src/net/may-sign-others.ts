import { type Element, elementAt, tags, valuesIn } from "./der.ts";

/** Bits of KeyUsage as they stand in its first byte. @see RFC 5280 §4.2.1.3 */
const mayCertify = 0x04;
const maySignRevocations = 0x02;

/** 2.5.29.15 */
const keyUsageId = Buffer.from([0x55, 0x1d, 0x0f]);
/** 2.5.29.19 */
const basicConstraintsId = Buffer.from([0x55, 0x1d, 0x13]);

/**
 * Whether a certificate is an authority's, or its key may sign certificates or
 * revocation lists. Node tells neither: its `ca` takes a key usage into account,
 * its `keyUsage` is the extended one. The certificate has been parsed by OpenSSL
 * before: what is not as it must be here counts as yes.
 */
export function maySignOthers(der: Uint8Array): boolean {
  const extensionsOf = extensionsIn(der);
  const usage = extensionsOf(keyUsageId);
  if (usage) {
    if (usage.tag !== tags.bitString || usage.content.length < 2) return true;
    if ((usage.content[1]! & (mayCertify | maySignRevocations)) !== 0) return true;
  }
  const constraints = extensionsOf(basicConstraintsId);
  if (!constraints) return false;
  if (constraints.tag !== tags.sequence) return true;
  const [first] = valuesIn(constraints);
  return first?.tag === tags.boolean && first.content.some((byte) => byte !== 0);
}

/** What an extension holds, by the bytes of its id. */
function extensionsIn(der: Uint8Array): (id: Buffer) => Element | undefined {
  const certificate = valuesIn(elementAt(der, 0))[0];
  const facts = certificate ? valuesIn(certificate) : [];
  const index = facts[0]?.tag === tags.version ? 1 : 0;
  const list = facts.slice(index).find(({ tag }) => tag === tags.extensions);
  const all = list ? valuesIn(elementAt(list.content, 0)).map(valuesIn) : [];
  return (wanted) => {
    for (const [id, ...rest] of all) {
      if (id?.tag !== tags.objectId || !wanted.equals(id.content)) continue;
      const value = rest.find(({ tag }) => tag === tags.octetString);
      return elementAt(value?.content ?? Buffer.alloc(0), 0);
    }
    return undefined;
  };
}
