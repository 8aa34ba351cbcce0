import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ServiceSpec } from "../config/service-specs.ts";
import { serviceAddresses } from "./service-addresses.ts";
import { virtualIpv6 } from "./virtual-address.ts";

const own = { IPv4: "240.240.4.159", IPv6: "fd77:6566:7400::f0f0:49f" } as const;

describe("where a Service is called", () => {
  const given = { clusterIP: "10.96.0.7" };
  const cases: [what: string, spec: ServiceSpec, ...addresses: string[]][] = [
    ["says nothing of families: in both", {}, own.IPv4, own.IPv6],
    ["has one family by its policy", { ipFamilyPolicy: "SingleStack" }, own.IPv4],
    ["has one family by its list", { ipFamilies: ["IPv6"] }, own.IPv6],
    ["may prefer both", { ipFamilyPolicy: "PreferDualStack" }, own.IPv4, own.IPv6],
    [
      "prefers its first family",
      { ipFamilyPolicy: "RequireDualStack", ipFamilies: ["IPv6"] },
      own.IPv6,
      own.IPv4,
    ],
    ["lists both", { ipFamilies: ["IPv6", "IPv4"] }, own.IPv6, own.IPv4],
    ["was given an address: in its family alone", given, "10.96.0.7"],
    [
      "was given an address and wants both",
      { ...given, ipFamilyPolicy: "PreferDualStack" },
      "10.96.0.7",
      own.IPv6,
    ],
    [
      "was given both",
      { clusterIP: "FD00:0::7", clusterIPs: ["FD00:0::7", "10.96.0.7"] },
      "fd00::7",
      "10.96.0.7",
    ],
  ];
  for (const [what, spec, ...addresses] of cases) {
    it(what, () => assert.deepEqual(serviceAddresses(spec, own.IPv4), addresses));
  }
});

it("no two services have one IPv6 address, and each is written as every program writes it", () => {
  const made = Array.from({ length: 65_536 }, (_, i) => virtualIpv6(`240.240.${i >> 8}.${i & 255}`));
  assert.equal(new Set(made).size, made.length);
  for (const address of made) assert.equal(new URL(`http://[${address}]`).hostname, `[${address}]`);
});
