import { test } from "node:test";
import { golden } from "@weft/testkit/golden";
import { buildNftRules } from "./nft-rules.ts";

test("the rules of a workload without exclusions are as reviewed", () => {
  golden(new URL("../../testdata/rules.nft", import.meta.url), buildNftRules({ controlPlanePort: 15012 }));
});

test("exclusions become rules before the redirection, sorted and once each", () => {
  golden(
    new URL("../../testdata/rules-with-exclusions.nft", import.meta.url),
    buildNftRules({
      controlPlanePort: 16012,
      exclude: {
        inboundPorts: [22, 9100, 22],
        outboundPorts: [5432, 25],
        outboundCidrs: ["10.1.0.0/16", "fd00:1::/32"],
      },
    }),
  );
});
