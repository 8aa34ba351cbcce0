import { writeLatin1 } from "../net/latin1.ts";
import { entryOverheadBytes, initialTableBytes } from "./hpack-decoder.ts";
import { huffmanLength, writeHuffman } from "./huffman.ts";
import { staticCount, staticNames, staticValues } from "./static-table.ts";

/** How a value is sent when the table does not have it. */
type Treatment = "index" | "plain" | "secret" | "drop";

interface KnownName {
  readonly staticIndex: number;
  readonly values: ReadonlyMap<string, number> | undefined;
  readonly treatment: Treatment;
}

/** Differ from one message to the next: indexing them would only drive out what repeats. */
const perMessage =
  "x-request-id traceparent tracestate x-b3-traceid x-b3-spanid x-b3-parentspanid b3 x-cloud-trace-context x-datadog-trace-id x-datadog-parent-id x-datadog-span-id content-length content-range age etag if-none-match if-modified-since last-modified location set-cookie cookie x-envoy-expected-rq-timeout-ms x-envoy-upstream-service-time grpc-timeout grpc-message".split(
    " ",
  );
/** Must not become guessable through the table, here or at a later hop. @see RFC 7541 §7.1.3 */
const secrets = ["authorization", "proxy-authorization"];
/** Concern an HTTP/1 connection and are malformed here. @see RFC 9113 §8.2.2 */
const connectionFields = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];
const knownNames = buildKnownNames();

/** A value longer than this is not worth its room in the table. */
const maxIndexedBytes = 512;

let scratch = Buffer.allocUnsafeSlow(16384);

/**
 * Encodes header blocks of one connection: `begin`, `field` for each, `finish`.
 *
 * Values that repeat are found by two map look-ups and cost one or two octets;
 * values of one message only and secrets never enter the table. Fields that
 * concern an HTTP/1 connection are left out.
 *
 * @see RFC 7541
 */
export class HpackEncoder {
  #at = 0;
  #limitBytes = initialTableBytes;
  /** The smallest limit since the last block, when it must be announced; -1 otherwise. */
  #announcedLowBytes = -1;
  #tableBytes = 0;
  #entries: { readonly name: string; readonly value: string }[] = [];
  #first = 0;
  /** Insertions before `#entries[0]`. */
  #dropped = 0;
  #index: Map<string, Map<string, number>> | undefined;

  /** Follows the peer's SETTINGS_HEADER_TABLE_SIZE, using at most 4,096 octets of it. */
  setPeerTableSize(sizeBytes: number): void {
    const limit = Math.min(sizeBytes, initialTableBytes);
    if (limit === this.#limitBytes && this.#announcedLowBytes < 0) return;
    this.#announcedLowBytes = this.#announcedLowBytes < 0 ? limit : Math.min(this.#announcedLowBytes, limit);
    this.#limitBytes = limit;
    this.#evict(0);
  }

  /** Starts a block, leaving `reservedBytes` before it in the buffer that `finish` returns. */
  begin(reservedBytes: number): void {
    this.#at = reservedBytes;
    if (this.#announcedLowBytes < 0) return;
    if (this.#announcedLowBytes < this.#limitBytes) this.#integer(0x20, 5, this.#announcedLowBytes);
    this.#integer(0x20, 5, this.#limitBytes);
    this.#announcedLowBytes = -1;
  }

  field(name: string, value: string): void {
    const known = knownNames.get(name);
    const staticIndex = known?.values?.get(value);
    this.#reserve(name.length + value.length + 24);
    if (staticIndex !== undefined) {
      scratch[this.#at++] = 0x80 | staticIndex;
      return;
    }
    const treatment = known?.treatment ?? "index";
    if (treatment === "drop") return;
    if (treatment !== "index" || value.length > maxIndexedBytes) {
      this.#name(treatment === "secret" ? 0x10 : 0, 4, name, known);
      this.#plain(value);
      return;
    }
    const inserted = this.#index?.get(name)?.get(value);
    if (inserted !== undefined) {
      this.#integer(0x80, 7, this.#indexOf(inserted));
      return;
    }
    this.#name(0x40, 6, name, known);
    this.#compact(value);
    this.#insert(name, value);
  }

  /** The reserved bytes and the block, valid until the next block of any connection begins. */
  finish(): Buffer {
    return scratch.subarray(0, this.#at);
  }

  #name(pattern: number, prefixBits: number, name: string, known: KnownName | undefined): void {
    let index = known?.staticIndex ?? 0;
    if (index === 0) {
      const inserted = this.#index?.get(name)?.values().next().value;
      if (inserted !== undefined) index = this.#indexOf(inserted);
    }
    this.#integer(pattern, prefixBits, index);
    if (index === 0) this.#compact(name);
  }

  #indexOf(inserted: number): number {
    return staticCount + this.#dropped + this.#entries.length - inserted;
  }

  #insert(name: string, value: string): void {
    const size = name.length + value.length + entryOverheadBytes;
    this.#evict(size);
    if (size > this.#limitBytes) return;
    this.#index ??= new Map();
    let values = this.#index.get(name);
    if (!values) {
      values = new Map();
      this.#index.set(name, values);
    }
    values.set(value, this.#dropped + this.#entries.length);
    this.#entries.push({ name, value });
    this.#tableBytes += size;
  }

  #evict(size: number): void {
    while (this.#tableBytes + size > this.#limitBytes && this.#first < this.#entries.length) {
      const { name, value } = this.#entries[this.#first++]!;
      this.#tableBytes -= name.length + value.length + entryOverheadBytes;
      const values = this.#index!.get(name)!;
      values.delete(value);
      if (values.size === 0) this.#index!.delete(name);
    }
    if (this.#first > 64) {
      this.#entries = this.#entries.slice(this.#first);
      this.#dropped += this.#first;
      this.#first = 0;
    }
  }

  #integer(pattern: number, prefixBits: number, value: number): void {
    const mask = (1 << prefixBits) - 1;
    if (value < mask) {
      scratch[this.#at++] = pattern | value;
      return;
    }
    scratch[this.#at++] = pattern | mask;
    let rest = value - mask;
    while (rest >= 0x80) {
      scratch[this.#at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    scratch[this.#at++] = rest;
  }

  #plain(text: string): void {
    this.#integer(0, 7, text.length);
    writeLatin1(scratch, text, this.#at);
    this.#at += text.length;
  }

  #compact(text: string): void {
    const coded = huffmanLength(text);
    if (coded >= text.length) {
      this.#plain(text);
      return;
    }
    this.#integer(0x80, 7, coded);
    this.#at = writeHuffman(text, scratch, this.#at);
  }

  #reserve(sizeBytes: number): void {
    if (this.#at + sizeBytes <= scratch.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(scratch.length * 2, this.#at + sizeBytes));
    scratch.copy(larger, 0, 0, this.#at);
    scratch = larger;
  }
}

function buildKnownNames(): ReadonlyMap<string, KnownName> {
  const treatments = new Map<string, Treatment>();
  for (const name of perMessage) treatments.set(name, "plain");
  for (const name of secrets) treatments.set(name, "secret");
  for (const name of connectionFields) treatments.set(name, "drop");
  const known = new Map<string, KnownName>();
  for (const name of new Set([...staticNames.slice(1), ...treatments.keys()])) {
    const values = new Map<string, number>();
    staticNames.forEach((staticName, i) => {
      if (staticName === name && staticValues[i] !== "") values.set(staticValues[i]!, i);
    });
    known.set(name, {
      staticIndex: Math.max(0, staticNames.indexOf(name)),
      values: values.size > 0 ? values : undefined,
      treatment: treatments.get(name) ?? "index",
    });
  }
  return known;
}
