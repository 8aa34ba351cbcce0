import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isInRange, parseAddress, parseRange, plainAddress } from "./cidr.ts";
import { decodeSockaddr } from "./original-destination.ts";
import { parseHostPort } from "./socket-address.ts";

describe("an address range", () => {
  for (const [address, range, length, isIn] of [
    ["10.1.2.3", "10.1.0.0", 16, true],
    ["10.2.2.3", "10.1.0.0", 16, false],
    ["10.1.2.3", "10.1.2.2", 31, true],
    ["10.1.2.4", "10.1.2.2", 31, false],
    ["192.168.0.1", "0.0.0.0", 0, true],
    ["::1", "0.0.0.0", 0, false],
    ["fd00::1:2", "fd00::", 8, true],
    ["fe00::1:2", "fd00::", 8, false],
    ["::ffff:10.1.2.3", "10.1.2.0", 24, true],
  ] as const) {
    it(`${range}/${length} ${isIn ? "holds" : "does not hold"} ${address}`, () => {
      assert.equal(isInRange(parseAddress(address)!, parseRange(range, length)!), isIn);
    });
  }

  it("is not made of names", () => assert.equal(parseRange("example.org", 8), undefined));
});

describe("an original destination", () => {
  it("is read from both kinds of socket address", () => {
    const v4 = Buffer.alloc(28);
    v4.writeUInt16LE(2, 0);
    v4.writeUInt16BE(9080, 2);
    v4.set([240, 240, 0, 7], 4);
    assert.deepEqual(decodeSockaddr(v4), { kind: "ip", host: "240.240.0.7", port: 9080 });
    const v6 = Buffer.alloc(28);
    v6.writeUInt16LE(10, 0);
    v6.writeUInt16BE(80, 2);
    v6.set([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9], 8);
    assert.deepEqual(decodeSockaddr(v6), { kind: "ip", host: "fd00::9", port: 80 });
  });
});

describe("a host with port", () => {
  it("is an address or nothing", () => {
    assert.deepEqual(parseHostPort("10.0.0.1:80"), { kind: "ip", host: "10.0.0.1", port: 80 });
    assert.deepEqual(parseHostPort("[::1]:80"), { kind: "ip", host: "::1", port: 80 });
    for (const text of [
      undefined,
      "",
      "10.0.0.1",
      "host:80",
      "10.0.0.1:0",
      "10.0.0.1:70000",
      "999.0.0.1:1",
    ]) {
      assert.equal(parseHostPort(text), undefined, text);
    }
  });

  it("mapped into IPv6 is IPv4", () => assert.equal(plainAddress("::ffff:10.0.0.1"), "10.0.0.1"));
});
