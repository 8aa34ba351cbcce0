import assert from "node:assert/strict";
import { test } from "node:test";
import { addressMatch } from "./address-match.ts";

test("subnets that are equal are written alike", () => {
  const shown = (text: string) => {
    const [{ address, prefixLength } = { address: "", prefixLength: 0 }] = addressMatch({
      destinationSubnets: [text],
    })!.to!;
    return `${address}/${prefixLength}`;
  };
  for (const [text, want] of [
    ["10.1.2.3/8", "10.0.0.0/8"],
    ["10.255.255.255/9", "10.128.0.0/9"],
    ["192.0.2.7", "192.0.2.7/32"],
    ["255.1.1.1/0", "0.0.0.0/0"],
    ["2001:DB8:0::1/32", "2001:db8::/32"],
    ["::ffff:10.1.2.3/104", "::ffff:a00:0/104"],
    ["::1", "::1/128"],
    ["fe80::1:2:3:4/66", "fe80::/66"],
  ] as const) {
    assert.equal(shown(text), want, text);
  }
  assert.equal(addressMatch({}), undefined);
});
