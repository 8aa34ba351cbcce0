import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "@weft/testkit/properties";
import { encodeProxyV1, encodeProxyV2 } from "./encode-proxy-header.ts";
import { parseProxyHeader } from "./proxy-protocol.ts";
import type { SocketAddress } from "./socket-address.ts";

const ip = (host: string, port: number): SocketAddress => ({ kind: "ip", host, port });
const v2 = (rest: string) => Buffer.from(`0d0a0d0a000d0a515549540a${rest}`, "hex");

describe("a PROXY header", () => {
  for (const [name, bytes, expected] of [
    ["version 1, IPv4", "PROXY TCP4 1.2.3.4 5.6.7.8 1 65535\r\nrest", "header 36 1.2.3.4:1 5.6.7.8:65535"],
    ["version 1, IPv6", "PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "header 32 2001:db8::1:1 ::1:2"],
    ["version 1, unknown, with anything behind it", "PROXY UNKNOWN a b c\r\n", "header 21 itself"],
    ["nothing yet", "", "incomplete"],
    ["a beginning", "PROX", "incomplete"],
    ["a line without its end", "PROXY TCP4 1.2.3.4", "incomplete"],
    ["a line that does not end in 107 bytes", `PROXY UNKNOWN ${"a".repeat(100)}\r\n`, "invalid"],
    ["a line that ends in a bare LF", `PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n${" ".repeat(80)}`, "invalid"],
    ["an IPv6 address that says TCP4", "PROXY TCP4 ::1 ::1 1 2\r\n", "invalid"],
    ["a zone id", "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", "invalid"],
    ["two blanks", "PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n", "invalid"],
    ["a port too many", "PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n", "invalid"],
    ["a signed port", "PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n", "invalid"],
    ["lower case", "proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n", "absent"],
    ["HTTP", "POST / HTTP/1.1\r\n", "absent"],
    ["version 2, IPv4", v2("2111000c010203040506070804000050"), "header 28 1.2.3.4:1024 5.6.7.8:80"],
    ["version 2, local, with addresses", v2("2011000c010203040506070804000050"), "header 28 itself"],
    ["version 2, half a signature", v2("").subarray(0, 7), "incomplete"],
    ["version 2, no addresses yet", v2("2111000c0102"), "incomplete"],
    ["version 3", v2("3111000c010203040506070804000050"), "invalid"],
    ["an unknown command", v2("2211000c010203040506070804000050"), "invalid"],
    ["no family on behalf of another", v2("21000000"), "invalid"],
    ["UDP", v2("2112000c010203040506070804000050"), "invalid"],
    ["a Unix socket", v2(`213100d8${"00".repeat(216)}`), "invalid"],
    ["too short for its addresses", v2("2111000401020304"), "invalid"],
    ["a cut TLV", v2("2111000e010203040506070804000050aabb"), "invalid"],
    [
      "IPv4 in IPv6",
      v2(`21210024${"00000000000000000000ffff01020304".repeat(2)}00010002`),
      "header 52 1.2.3.4:1 1.2.3.4:2",
    ],
  ] as const) {
    it(`of ${name}: ${expected}`, () => {
      const result = parseProxyHeader(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
      assert.equal(describeResult(result), expected);
    });
  }

  const host = fc
    .oneof(
      fc.tuple(fc.ipV4(), fc.ipV4()),
      fc
        .tuple(fc.ipV6(), fc.ipV6())
        .map((pair) => pair.map((text) => new URL(`http://[${text}]`).hostname.slice(1, -1))),
    )
    .filter(([a, b]) => !a!.startsWith("::ffff:") && !b!.startsWith("::ffff:"));
  const port = fc.integer({ min: 0, max: 65_535 });
  const tlv = fc.record({ type: fc.integer({ min: 0, max: 255 }), value: fc.uint8Array({ maxLength: 300 }) });

  it("is read as it was written, and from no fewer bytes", () => {
    fc.assert(
      fc.property(host, port, port, fc.array(tlv, { maxLength: 5 }), ([from, to], fromPort, toPort, tlvs) => {
        const source = ip(from!, fromPort);
        const destination = ip(to!, toPort);
        const values = tlvs.map(({ type, value }) => ({ type, value: Buffer.from(value) }));
        for (const [version, bytes] of [
          [1, encodeProxyV1(source, destination)],
          [2, encodeProxyV2(source, destination, values)],
        ] as const) {
          const header = { version, addresses: { source, destination }, tlvs: version === 2 ? values : [] };
          const result = parseProxyHeader(Buffer.concat([bytes, Buffer.from("after")]));
          assert.deepEqual(result, { kind: "header", header, length: bytes.length });
          for (let cut = 0; cut < bytes.length; cut += 7) {
            assert.equal(parseProxyHeader(bytes.subarray(0, cut)).kind, "incomplete");
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it("of any bytes ends in an answer that fits them", () => {
    const beginnings = [
      Buffer.from("PROXY "),
      Buffer.from("PROXY TCP4 "),
      v2(""),
      v2("21"),
      v2("2111"),
      v2("2021"),
    ];
    fc.assert(
      fc.property(fc.constantFrom(...beginnings), fc.uint8Array({ maxLength: 400 }), (beginning, rest) => {
        const bytes = Buffer.concat([beginning, rest]);
        const result = parseProxyHeader(bytes);
        if (result.kind === "header") assert.ok(result.length <= bytes.length);
        if (result.kind === "incomplete") assert.ok(bytes.length < 65_536 + 16);
        assert.notEqual(result.kind, "absent");
      }),
      { numRuns: 2_000 },
    );
  });
});

function describeResult(result: ReturnType<typeof parseProxyHeader>): string {
  if (result.kind !== "header") return result.kind;
  const { addresses } = result.header;
  const text = (address: SocketAddress) => (address.kind === "ip" ? `${address.host}:${address.port}` : "");
  const who = addresses ? `${text(addresses.source)} ${text(addresses.destination)}` : "itself";
  return `header ${result.length} ${who}`;
}
