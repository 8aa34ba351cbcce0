import assert from "node:assert/strict";
import { test } from "node:test";
import { countTlsRecords, readTcpStreams } from "./pcap.ts";

const fileHeader = Buffer.alloc(24);
fileHeader.writeUInt32LE(0xa1b2c3d4, 0);
fileHeader.writeUInt32LE(1, 20);

function packet(sequence: number, payload: string, flags = 0x18): Buffer {
  const data = Buffer.from(payload, "latin1");
  const frame = Buffer.alloc(54 + data.length);
  frame.writeUInt16BE(0x0800, 12);
  frame[14] = 0x45;
  frame.writeUInt16BE(40 + data.length, 16);
  frame[23] = 6;
  Buffer.from([10, 0, 0, 1, 10, 0, 0, 2]).copy(frame, 26);
  frame.writeUInt16BE(40_000, 34);
  frame.writeUInt16BE(9080, 36);
  frame.writeUInt32BE(sequence, 38);
  frame[46] = 0x50;
  frame[47] = flags;
  data.copy(frame, 54);
  const header = Buffer.alloc(16);
  header.writeUInt32LE(frame.length, 8);
  header.writeUInt32LE(frame.length, 12);
  return Buffer.concat([header, frame]);
}

test("segments out of order and sent twice make one stream", () => {
  const capture = [
    packet(99, "", 2),
    packet(105, "world"),
    packet(100, "hello"),
    packet(100, "hello"),
    packet(103, "lowor"),
  ];
  const [stream] = readTcpStreams(Buffer.concat([fileHeader, ...capture]));
  assert.equal(stream!.bytes.toString(), "helloworld");
  assert.equal(stream!.isComplete, true);
  assert.equal(stream!.key, "10.0.0.1:40000 > 10.0.0.2:9080");
});

test("a missing segment ends the stream and is said", () => {
  const [stream] = readTcpStreams(
    Buffer.concat([fileHeader, packet(99, "", 2), packet(100, "a"), packet(105, "b")]),
  );
  assert.equal(stream!.bytes.toString(), "a");
  assert.equal(stream!.isComplete, false);
});

test("TLS records are counted and anything else is not TLS", () => {
  const record = Buffer.from([23, 3, 3, 0, 2, 1, 2]);
  assert.equal(countTlsRecords(Buffer.concat([record, record])), 2);
  assert.equal(countTlsRecords(Buffer.concat([record, record.subarray(0, 6)])), 2);
  assert.equal(countTlsRecords(Buffer.from("GET / HTTP/1.1\r\n")), undefined);
  assert.equal(countTlsRecords(Buffer.concat([record, Buffer.from("GET /")])), undefined);
});
