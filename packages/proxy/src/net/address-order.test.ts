import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type AddressOrder, inTurns, usualOrder } from "./address-order.ts";
import type { SocketAddress } from "./socket-address.ts";

const order = (text: string, by: AddressOrder) =>
  inTurns(
    text.split(" ").map((host): SocketAddress => ({ kind: "ip", host, port: 80 })),
    by,
  )
    .map((address) => (address.kind === "ip" ? address.host : address.path))
    .join(" ");

describe("the order in which addresses are tried", () => {
  const sixFirst: AddressOrder = { firstFamily: "IPv6", firstCount: 1 };
  const twoOfFour: AddressOrder = { firstFamily: "IPv4", firstCount: 2 };
  const cases: [what: string, given: string, by: AddressOrder, tried: string][] = [
    ["one stays alone", "10.0.0.1", usualOrder, "10.0.0.1"],
    ["one family stays as it is", "10.0.0.2 10.0.0.1", sixFirst, "10.0.0.2 10.0.0.1"],
    ["the first one's family begins", "::1 ::2 10.0.0.1 10.0.0.2", usualOrder, "::1 10.0.0.1 ::2 10.0.0.2"],
    ["families take turns", "10.0.0.1 10.0.0.2 10.0.0.3 ::1", usualOrder, "10.0.0.1 ::1 10.0.0.2 10.0.0.3"],
    ["a family can be preferred", "10.0.0.1 10.0.0.2 ::1 ::2", sixFirst, "::1 10.0.0.1 ::2 10.0.0.2"],
    ["for some addresses", "::1 10.0.0.1 ::2 10.0.0.2", twoOfFour, "10.0.0.1 10.0.0.2 ::1 ::2"],
    ["as far as it has them", "::1 ::2 ::3 10.0.0.1", twoOfFour, "10.0.0.1 ::1 ::2 ::3"],
  ];
  for (const [what, given, by, tried] of cases) it(what, () => assert.equal(order(given, by), tried));
});
