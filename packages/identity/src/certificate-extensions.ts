import { DerError, DerReader, tags } from "./der-reader.ts";
import { oids } from "./oids.ts";

/** What the extensions of a certificate, or those asked for in a request, say. Absent fields were absent. */
export interface ExtensionFacts {
  readonly isCa: boolean;
  readonly pathLength?: number;
  /** First byte of KeyUsage, as in `keyUsages`. */
  readonly keyUsage?: number;
  readonly extendedKeyUsages?: readonly string[];
  readonly hasSan: boolean;
  readonly isSanCritical: boolean;
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  /** Names of other kinds in the SAN: addresses, e-mail, directory names. */
  readonly otherNames: number;
  /** SubjectKeyIdentifier, hexadecimal. */
  readonly keyId?: string;
  /** OIDs in the order they were written. */
  readonly present: readonly string[];
  /** Critical ones that are not understood here: whoever relies on the certificate must refuse it. */
  readonly unknownCritical: readonly string[];
}

type Draft = { -readonly [K in keyof ExtensionFacts]: ExtensionFacts[K] };

const maxExtensions = 32;
const maxNames = 64;

/**
 * Reads `Extensions` (RFC 5280, 4.2).
 *
 * @throws DerError also when an extension occurs twice, which RFC 5280 forbids.
 */
export function readExtensions(reader: DerReader): ExtensionFacts {
  const facts: Draft = {
    isCa: false,
    hasSan: false,
    isSanCritical: false,
    uris: [],
    dnsNames: [],
    otherNames: 0,
    present: [],
    unknownCritical: [],
  };
  const present: string[] = [];
  const unknownCritical: string[] = [];
  while (!reader.isEmpty) {
    const extension = reader.enter(tags.sequence);
    const oid = extension.oid();
    const isCritical = extension.peekTag() === tags.boolean ? extension.boolean() : false;
    const value = new DerReader(extension.content(tags.octetString));
    extension.finish();
    if (present.includes(oid)) throw new DerError(`the extension ${oid} is there twice`);
    if (present.push(oid) > maxExtensions) throw new DerError(`more than ${maxExtensions} extensions`);
    if (!readValue(oid, value, facts, isCritical) && isCritical) unknownCritical.push(oid);
  }
  return { ...facts, present, unknownCritical };
}

/** False when the extension is not one that is understood. */
function readValue(oid: string, value: DerReader, facts: Draft, isCritical: boolean): boolean {
  switch (oid) {
    case oids.basicConstraints: {
      const content = value.enter(tags.sequence);
      if (content.peekTag() === tags.boolean) facts.isCa = content.boolean();
      if (content.peekTag() === tags.integer) facts.pathLength = content.smallInteger(255);
      content.finish();
      break;
    }
    case oids.keyUsage:
      facts.keyUsage = value.bitString().bits[0] ?? 0;
      break;
    case oids.extendedKeyUsage:
      facts.extendedKeyUsages = readOids(value.enter(tags.sequence));
      break;
    case oids.subjectAltName:
      facts.hasSan = true;
      facts.isSanCritical = isCritical;
      readNames(value.enter(tags.sequence), facts);
      break;
    case oids.subjectKeyIdentifier:
      facts.keyId = value.content(tags.octetString).toString("hex");
      break;
    case oids.authorityKeyIdentifier:
      value.element(tags.sequence);
      break;
    default:
      return false;
  }
  value.finish();
  return true;
}

function readOids(reader: DerReader): string[] {
  const found: string[] = [];
  while (!reader.isEmpty) {
    if (found.push(reader.oid()) > maxNames) throw new DerError("too many key purposes");
  }
  return found;
}

const uriTag = 0x86;
const dnsTag = 0x82;
/** Other kinds of GeneralName (RFC 5280, 4.2.1.6): of anything else nobody knows what it names. */
const otherNameTags: ReadonlySet<number> = new Set([0xa0, 0x81, 0xa3, 0xa4, 0xa5, 0x87, 0x88]);

function readNames(reader: DerReader, facts: Draft): void {
  const uris: string[] = [];
  const dnsNames: string[] = [];
  let otherNames = 0;
  while (!reader.isEmpty) {
    if (uris.length + dnsNames.length + otherNames >= maxNames) throw new DerError("too many subject names");
    const tag = reader.peekTag();
    const content = reader.element();
    if (tag === uriTag) uris.push(new DerReader(content).content(uriTag).toString("latin1"));
    else if (tag === dnsTag) dnsNames.push(new DerReader(content).content(dnsTag).toString("latin1"));
    else if (tag !== undefined && otherNameTags.has(tag)) otherNames += 1;
    else throw new DerError(`a subject name of no known kind (tag ${tag})`);
  }
  facts.uris = uris;
  facts.dnsNames = dnsNames;
  facts.otherNames = otherNames;
}
