import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatDiagnostic } from "@weft/base/diagnostics";
import { formatSpiffeBundle } from "@weft/identity/spiffe-bundle";
import { TestCa } from "@weft/testkit/test-ca";
import { parseConfig } from "./parse-config.ts";

const west = new TestCa({ trustDomain: "west.example" });
const bundleOf = (ca: TestCa) =>
  formatSpiffeBundle({
    trustDomain: ca.trustDomain,
    roots: [ca.root],
    jwtKeys: [],
    sequence: 1n,
    refreshHintS: 60,
  });
const bundle = bundleOf(west);
const endpointId = "spiffe://west.example/ns/weft-system/sa/weft-control-plane";

function findings(changes: Readonly<Record<string, unknown>>): string[] {
  const spec = {
    trustDomain: "west.example",
    bundleEndpointURL: "https://west.example/",
    bundleEndpointProfile: { type: "https_web" },
    ...changes,
  };
  const resource = {
    apiVersion: "spire.spiffe.io/v1alpha1",
    kind: "ClusterFederatedTrustDomain",
    metadata: { name: "west" },
    spec,
  };
  return parseConfig([{ name: "f.yaml", text: JSON.stringify(resource) }]).diagnostics.map(formatDiagnostic);
}

describe("a ClusterFederatedTrustDomain", () => {
  const spiffe = { type: "https_spiffe", endpointSPIFFEID: endpointId };
  const good: readonly Readonly<Record<string, unknown>>[] = [
    {},
    { bundleEndpointProfile: spiffe, trustDomainBundle: bundle },
    { bundleEndpointProfile: { type: "https_spiffe", endpointSPIFFEID: "spiffe://hub.example/bundles" } },
  ];
  for (const changes of good)
    it(`may be ${JSON.stringify(changes).slice(0, 60)}`, () => assert.deepEqual(findings(changes), []));

  const refused: readonly [what: string, changes: Readonly<Record<string, unknown>>, why: RegExp][] = [
    ["of no trust domain", { trustDomain: "West.example" }, /lower-case/],
    ["without TLS", { bundleEndpointURL: "http://west.example/" }, /not an https/],
    ["with a password in its URL", { bundleEndpointURL: "https://a:b@west.example/" }, /user or password/],
    [
      "with an identity for a host name",
      { bundleEndpointProfile: { type: "https_web", endpointSPIFFEID: endpointId } },
      /W1106/,
    ],
    [
      "without the identity of its endpoint",
      { bundleEndpointProfile: { type: "https_spiffe" } },
      /needs the endpoint's SPIFFE ID/,
    ],
    [
      "known by a trust domain instead of an endpoint",
      {
        bundleEndpointProfile: { type: "https_spiffe", endpointSPIFFEID: "spiffe://west.example" },
        trustDomainBundle: bundle,
      },
      /names a trust domain, not an endpoint/,
    ],
    ["with nothing to recognise its endpoint by", { bundleEndpointProfile: spiffe }, /first contact/],
    [
      "with the bundle of another trust domain",
      { trustDomainBundle: bundleOf(new TestCa({ trustDomain: "east.example" })) },
      /is named \\?"spiffe:\/\/east\.example/,
    ],
    ["of an unknown profile", { bundleEndpointProfile: { type: "http" } }, /W1103/],
  ];
  for (const [what, changes, why] of refused) {
    it(`is refused ${what}`, () => {
      const found = findings(changes);
      assert.equal(found.length, 1, found.join("\n"));
      assert.match(found[0]!, why);
    });
  }
});
