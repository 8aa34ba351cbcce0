import { isIPv4 } from "node:net";
import { headerBytes, type Query } from "./query.ts";

/** How long an answer may be remembered: short, because services come and go. */
const ttlSeconds = 30;
const ednsUdpBytes = 4096;

/**
 * The answer to `query` from the addresses of a mesh name, no longer than
 * `maxBytes`: what does not fit is left out and the truncation bit set, so the
 * client asks again over TCP. No address of the family asked for, or another
 * type, is an empty NOERROR answer: the name exists, the record does not (RFC 2308).
 */
export function buildAddressAnswer(query: Query, addresses: readonly string[], maxBytes: number): Buffer {
  const records: Buffer[] = [];
  const opt = query.hasEdns ? optRecord() : Buffer.alloc(0);
  let size = query.question.length + opt.length;
  let isTruncated = false;
  for (const address of addresses) {
    const record = addressRecord(query.type, address);
    if (!record) continue;
    if (size + record.length > maxBytes) {
      isTruncated = true;
      break;
    }
    size += record.length;
    records.push(record);
  }
  const head = Buffer.from(query.question);
  writeFlags(head, 0, { isAuthoritative: true, isTruncated });
  writeCounts(head, records.length, query.hasEdns ? 1 : 0);
  return Buffer.concat([head, ...records, opt]);
}

/** An answer without records: a refusal, or a failure to get one. Takes any packet that has a header. */
export function buildErrorAnswer(packet: Buffer, code: number, query?: Query): Buffer {
  const head = Buffer.from(query ? query.question : packet.subarray(0, headerBytes));
  writeFlags(head, code, { isAuthoritative: false, isTruncated: false });
  head.writeUInt16BE(query ? 1 : 0, 4);
  writeCounts(head, 0, query?.hasEdns ? 1 : 0);
  return query?.hasEdns ? Buffer.concat([head, optRecord()]) : head;
}

function writeFlags(
  head: Buffer,
  code: number,
  is: { isAuthoritative: boolean; isTruncated: boolean },
): void {
  const wantsRecursion = head[2]! & 0x01;
  head[2] = 0x80 | (is.isAuthoritative ? 0x04 : 0) | (is.isTruncated ? 0x02 : 0) | wantsRecursion;
  head[3] = 0x80 | (code & 0x0f);
}

function writeCounts(head: Buffer, answers: number, additionals: number): void {
  head.writeUInt16BE(answers, 6);
  head.writeUInt16BE(0, 8);
  head.writeUInt16BE(additionals, 10);
}

/** Undefined when the address is not of the type's family. */
function addressRecord(type: string, address: string): Buffer | undefined {
  const data =
    type === "A" && isIPv4(address)
      ? Buffer.from(address.split(".").map(Number))
      : type === "AAAA" && !isIPv4(address)
        ? ipv6Bytes(address)
        : undefined;
  if (!data) return undefined;
  const record = Buffer.alloc(12 + data.length);
  record.writeUInt16BE(0xc000 | headerBytes, 0); // the question's name
  record.writeUInt16BE(type === "A" ? 1 : 28, 2);
  record.writeUInt16BE(1, 4);
  record.writeUInt32BE(ttlSeconds, 6);
  record.writeUInt16BE(data.length, 10);
  data.copy(record, 12);
  return record;
}

function ipv6Bytes(address: string): Buffer {
  const [left, right] = address.split("::") as [string, string | undefined];
  const groups = (text: string) => (text === "" ? [] : text.split(":").flatMap(groupBytes));
  const front = groups(left);
  const back = right === undefined ? [] : groups(right);
  const bytes = Buffer.alloc(16);
  bytes.set(front, 0);
  bytes.set(back, 16 - back.length);
  return bytes;
}

function groupBytes(group: string): number[] {
  if (group.includes(".")) return group.split(".").map(Number);
  const value = Number.parseInt(group, 16);
  return [value >> 8, value & 0xff];
}

/** RFC 6891: root name, type OPT, our UDP size as class, no flags, no options. */
function optRecord(): Buffer {
  const record = Buffer.alloc(11);
  record.writeUInt16BE(41, 1);
  record.writeUInt16BE(ednsUdpBytes, 3);
  return record;
}
