import { describe } from "node:test";
import { testSpecs } from "./test-spec-cases.ts";

describe("a Service for an external name", () => {
  testSpecs("v1", "Service", [
    ["is a name", "{ type: ExternalName, externalName: db.example. }"],
    ["may name ports", "{ type: ExternalName, externalName: db.example, ports: [{ port: 80 }] }"],
    ["needs the name", "{ type: ExternalName }", /^a.yaml:4:\d+: error W1104: spec.externalName is missing/],
    [
      "takes no pattern",
      '{ type: ExternalName, externalName: "*.example" }',
      /error W1203: .*no single name/,
    ],
    ["takes no URL", '{ type: ExternalName, externalName: "http://a" }', /error W1203: .*not a host name/],
    [
      "has no address of its own",
      "{ type: ExternalName, externalName: a.example, clusterIP: None }",
      /error W1106: an external name has no clusterIP/,
    ],
    [
      "selects nothing",
      "{ type: ExternalName, externalName: a.example, selector: { a: b } }",
      /warning W1106: an external name selects nothing/,
    ],
    ["has its type", "{ externalName: a.example }", /warning W1106: .*means nothing for type ClusterIP/],
  ]);
});
