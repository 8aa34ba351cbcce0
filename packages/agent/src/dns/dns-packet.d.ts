declare module "dns-packet" {
  interface Question {
    name: string;
    type: string;
    class: string;
  }
  interface Answer {
    name: string;
    type: string;
    class?: string;
    ttl?: number;
    data?: unknown;
    /** Only of an OPT record: how large an answer the client takes over UDP. */
    udpPayloadSize?: number;
  }
  interface Packet {
    id?: number;
    type?: "query" | "response";
    opcode?: string;
    rcode?: string;
    flags?: number;
    flag_tc?: boolean;
    questions?: Question[];
    answers?: Answer[];
    authorities?: Answer[];
    additionals?: Answer[];
  }
  const dnsPacket: {
    encode(packet: Packet): Buffer;
    decode(buffer: Buffer): Packet;
    question: { decode: { (buffer: Buffer, offset: number): Question; bytes: number } };
  };
  export default dnsPacket;
}
