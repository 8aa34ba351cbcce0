import { describe } from "node:test";
import { testSpecs } from "./test-spec-cases.ts";

describe("the addresses and families of a Service", () => {
  testSpecs("v1", "Service", [
    ["may be left out", "{}"],
    ["may be one address", "{ clusterIP: 10.96.0.7 }"],
    ["may be none", "{ clusterIP: None, clusterIPs: [None] }"],
    [
      "may be one of each family",
      '{ clusterIP: "fd00::7", clusterIPs: ["fd00::7", 10.96.0.7], ipFamilies: [IPv6, IPv4], ipFamilyPolicy: RequireDualStack }',
    ],
    [
      "are addresses",
      "{ clusterIP: 10.96.0.300 }",
      /^a.yaml:4:\d+: error W1204: spec.clusterIP: "10.96.0.300" is not an IP address/,
    ],
    ["have no zone", '{ clusterIP: "fe80::1%eth0" }', /error W1204/],
    [
      "begin with clusterIP",
      "{ clusterIP: 10.96.0.7, clusterIPs: [10.96.0.8] }",
      /error W1106: spec.clusterIPs begins with 10.96.0.8, and spec.clusterIP is 10.96.0.7/,
    ],
    ["need clusterIP", "{ clusterIPs: [10.96.0.8] }", /error W1106: .* spec.clusterIP is not there/],
    [
      "are at most one of each family",
      "{ clusterIP: 10.96.0.7, clusterIPs: [10.96.0.7, 10.96.0.8] }",
      /error W1106: spec.clusterIPs may name one address in each family/,
    ],
    [
      "are not beside None",
      "{ clusterIP: None, clusterIPs: [None, 10.96.0.8] }",
      /error W1106: a headless Service has no further clusterIPs/,
    ],
    ["know two families", "{ ipFamilies: [IPv5] }", /error W1103: spec.ipFamilies\[0\]: unknown value IPv5/],
    [
      "name each family once",
      "{ ipFamilies: [IPv4, IPv4] }",
      /error W1210: IPv4 is written twice \(the first is spec.ipFamilies\[0\]/,
    ],
    [
      "are of the families that are written",
      "{ clusterIP: 10.96.0.7, ipFamilies: [IPv6] }",
      /error W1106: 10.96.0.7 is no IPv6 address/,
    ],
    [
      "are of one family under SingleStack",
      "{ ipFamilies: [IPv4, IPv6], ipFamilyPolicy: SingleStack }",
      /error W1106: a Service of two families is none of ipFamilyPolicy: SingleStack/,
    ],
    [
      "know three policies",
      "{ ipFamilyPolicy: DualStack }",
      /error W1103: spec.ipFamilyPolicy: unknown value/,
    ],
    [
      "are none of an external name",
      "{ type: ExternalName, externalName: a.example, ipFamilies: [IPv6], ipFamilyPolicy: SingleStack }",
      /error W1106: an external name has no ipFamilies/,
      /error W1106: an external name has no ipFamilyPolicy/,
    ],
  ]);
});
