import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AddressGuard } from "./address-guard.ts";

describe("the addresses keys are fetched from", () => {
  const guard = new AddressGuard();
  for (const address of ["8.8.8.8", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8"]) {
    it(`include ${address}`, () => assert.equal(guard.isAllowed(address), true));
  }
  const refused = [
    "127.0.0.1",
    "127.255.1.1",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.100.100.200",
    "192.0.0.192",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "ff02::1",
    "localhost",
    "",
  ];
  for (const address of refused) {
    it(`exclude ${address || "nothing"}`, () => assert.equal(guard.isAllowed(address), false));
  }

  it("include what an operator named, and nothing beside it", () => {
    const named = new AddressGuard(["10.0.0.0/8", "::1"]);
    assert.equal(named.isNamed("10.9.9.9"), true);
    assert.equal(named.isNamed("::ffff:10.9.9.9"), true);
    assert.equal(named.isAllowed("::1"), true);
    assert.equal(named.isAllowed("::2"), false);
    assert.equal(named.isAllowed("127.0.0.1"), false);
    assert.equal(named.isNamed("8.8.8.8"), false);
  });
});
