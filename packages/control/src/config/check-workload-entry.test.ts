import { describe } from "node:test";
import { testSpecs } from "./test-spec-cases.ts";

describe("a WorkloadEntry", () => {
  testSpecs("networking.istio.io/v1", "WorkloadEntry", [
    [
      "with all that Weft does",
      "{ address: 192.0.2.1, ports: { http: 80 }, labels: { a: b }, weight: 2, serviceAccount: x }",
    ],
    ["may have an IPv6 address", '{ address: "2001:db8::1" }'],
    ["may have a name", "{ address: vm.example }"],
    ["needs an address", "{ labels: { a: b } }", /^a.yaml:4:\d+: error W1104: spec.address is missing/],
    ["takes no pattern for an address", '{ address: "*.example" }', /error W1211: .* cannot be resolved/],
    ["takes no socket", '{ address: "unix:///x" }', /error W1302: WorkloadEntry.spec.address/, /W1203/],
    ["takes ports of 1 to 65535", "{ address: 192.0.2.1, ports: { a: 70000 } }", /^a.yaml:4:41: error W1208/],
    ["has a locality", "{ address: 192.0.2.1, locality: eu/1 }"],
    ["checks its locality", "{ address: 192.0.2.1, locality: a//b }", /error W1211: .* not a locality/],
    ["says that networks are not crossed", "{ address: 192.0.2.1, network: n }", /W1301: .*network/],
    ["knows its fields", "{ adress: 192.0.2.1 }", /error W1101: unknown field spec.adress .*"address"/],
  ]);
});
