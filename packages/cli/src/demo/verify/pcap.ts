/**
 * Reads what tcpdump wrote and puts TCP byte streams together again, so that
 * the demo can say what was on the wire without asking any part of Weft.
 *
 * @see https://www.tcpdump.org/manpages/pcap-savefile.5.txt
 */
export interface TcpStream {
  /** `10.0.0.1:40000 > 10.0.0.2:9080` */
  readonly key: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly bytes: Buffer;
  /** False when the capture missed a segment: `bytes` then ends before the gap. */
  readonly isComplete: boolean;
}

const ethernet = 1;

/** One stream for each direction of each connection in the capture. IPv4 over Ethernet. */
export function readTcpStreams(pcap: Buffer): readonly TcpStream[] {
  if (pcap.length < 24 || pcap.readUInt32LE(0) !== 0xa1b2c3d4)
    throw new Error("not a little-endian pcap file");
  if (pcap.readUInt32LE(20) !== ethernet) throw new Error("the capture is not of an Ethernet interface");
  const flows = new Map<string, Flow>();
  let at = 24;
  while (at + 16 <= pcap.length) {
    const length = pcap.readUInt32LE(at + 8);
    const frame = pcap.subarray(at + 16, at + 16 + length);
    at += 16 + length;
    addFrame(flows, frame);
  }
  return [...flows.entries()].map(([key, flow]) => assemble(key, flow));
}

interface Flow {
  readonly sourcePort: number;
  readonly destinationPort: number;
  firstSequence: number | undefined;
  readonly segments: { readonly sequence: number; readonly payload: Buffer }[];
}

function addFrame(flows: Map<string, Flow>, frame: Buffer): void {
  if (frame.length < 34 || frame.readUInt16BE(12) !== 0x0800 || frame[23] !== 6) return;
  const ipStart = 14;
  const tcpStart = ipStart + (frame[ipStart]! & 15) * 4;
  const ipEnd = ipStart + frame.readUInt16BE(ipStart + 2);
  if (tcpStart + 20 > frame.length) return;
  const sourcePort = frame.readUInt16BE(tcpStart);
  const destinationPort = frame.readUInt16BE(tcpStart + 2);
  const source = [...frame.subarray(ipStart + 12, ipStart + 16)].join(".");
  const destination = [...frame.subarray(ipStart + 16, ipStart + 20)].join(".");
  const sequence = frame.readUInt32BE(tcpStart + 4);
  const isSyn = (frame[tcpStart + 13]! & 2) !== 0;
  const payload = frame.subarray(tcpStart + (frame[tcpStart + 12]! >> 4) * 4, Math.min(ipEnd, frame.length));
  const key = `${source}:${sourcePort} > ${destination}:${destinationPort}`;
  let flow = flows.get(key);
  if (!flow) {
    flow = { sourcePort, destinationPort, firstSequence: undefined, segments: [] };
    flows.set(key, flow);
  }
  if (isSyn) flow.firstSequence = (sequence + 1) >>> 0;
  if (payload.length > 0) flow.segments.push({ sequence, payload });
}

/** Streams whose beginning was not captured start at their first segment. */
function assemble(key: string, flow: Flow): TcpStream {
  const first = flow.firstSequence ?? flow.segments[0]?.sequence ?? 0;
  const offsetOf = (sequence: number) => (sequence - first) | 0;
  const segments = flow.segments.toSorted((a, b) => offsetOf(a.sequence) - offsetOf(b.sequence));
  const parts: Buffer[] = [];
  let end = 0;
  let isComplete = flow.firstSequence !== undefined;
  for (const { sequence, payload } of segments) {
    const offset = offsetOf(sequence);
    if (offset > end) {
      isComplete = false;
      break;
    }
    if (offset + payload.length <= end) continue;
    parts.push(payload.subarray(end - offset));
    end = offset + payload.length;
  }
  const { sourcePort, destinationPort } = flow;
  return { key, sourcePort, destinationPort, bytes: Buffer.concat(parts), isComplete };
}

/**
 * How many TLS records the bytes are, or undefined when they are not all TLS.
 * A record cut off at the end of the capture is allowed.
 *
 * @see RFC 8446 §5.1
 */
export function countTlsRecords(bytes: Buffer): number | undefined {
  let at = 0;
  let records = 0;
  while (at < bytes.length) {
    const type = bytes[at]!;
    if (type < 20 || type > 23) return undefined;
    if (at + 1 < bytes.length && bytes[at + 1] !== 3) return undefined;
    if (at + 5 > bytes.length) return records;
    const length = bytes.readUInt16BE(at + 3);
    if (length > 16_640) return undefined;
    at += 5 + length;
    records += 1;
  }
  return records;
}
