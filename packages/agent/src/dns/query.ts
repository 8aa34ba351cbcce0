import dnsPacket from "dns-packet";

export const headerBytes = 12;

/** Response codes of RFC 1035 section 4.1.1. */
export const rcode = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
} as const;

/** What came in: a question to answer, a packet to refuse with a code, or noise to ignore. */
export type ParsedQuery =
  | { readonly t: "query"; readonly query: Query }
  | { readonly t: "refuse"; readonly rcode: number }
  | { readonly t: "ignore" };

export interface Query {
  /** Lower case, without the final dot. */
  readonly name: string;
  /** `A`, `AAAA`, `MX`, … or `UNKNOWN_<number>`. */
  readonly type: string;
  readonly isInternet: boolean;
  /** Header and question exactly as they came: an answer echoes the question byte for byte (0x20 mixed case). */
  readonly question: Buffer;
  /** The largest answer the client takes over UDP: 512 unless it says more (RFC 6891). */
  readonly maxUdpBytes: number;
  readonly hasEdns: boolean;
}

/**
 * Decodes one DNS message, whatever its bytes: never throws. Answers (QR set)
 * and fragments of a header are ignored, so that two servers can't be made to
 * talk to each other for ever.
 */
export function parseQuery(packet: Buffer): ParsedQuery {
  if (packet.length < headerBytes || (packet[2]! & 0x80) !== 0) return { t: "ignore" };
  if ((packet[2]! & 0x78) !== 0) return { t: "refuse", rcode: rcode.notImplemented };
  if (packet.readUInt16BE(4) !== 1) return { t: "refuse", rcode: rcode.formatError };
  try {
    const question = dnsPacket.question.decode(packet, headerBytes);
    const end = headerBytes + dnsPacket.question.decode.bytes;
    const opt = dnsPacket.decode(packet).additionals?.find((record) => record.type === "OPT");
    return {
      t: "query",
      query: {
        name: question.name.toLowerCase().replace(/\.$/, ""),
        type: question.type,
        isInternet: question.class === "IN",
        question: packet.subarray(0, end),
        maxUdpBytes: opt ? Math.min(Math.max(opt.udpPayloadSize ?? 512, 512), 4096) : 512,
        hasEdns: opt !== undefined,
      },
    };
  } catch {
    return { t: "refuse", rcode: rcode.formatError };
  }
}
