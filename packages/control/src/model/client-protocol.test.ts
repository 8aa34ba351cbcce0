import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fixture, type Scenario } from "../translate/mesh-fixture.ts";

const scenario: Scenario = {
  workloads: [
    { service: "web", ports: [{ port: 80 }, { port: 81 }, { port: 90, protocol: "grpc" }] },
    { service: "far", namespace: "team" },
  ],
};
const follows = (is = true) => `{ http: { useClientProtocol: ${is} } }`;

const rule = (spec: string, namespace = "default", host = "web.default.svc.cluster.local", name = "web") =>
  `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${name}, namespace: ${namespace} }
spec: { host: ${host}, ${spec} }
---
`;
const sidecar = (spec: string) => `apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: web }
spec: { workloadSelector: { labels: { app: web } }, ${spec} }
---
`;
const all = `trafficPolicy: { connectionPool: ${follows()} }`;

/** The workload's ports whose application is spoken to as clients speak, and the service's that callers must keep the version for. */
function followed(yaml: string): string {
  const { mesh, findings } = fixture(scenario, yaml);
  assert.deepEqual(findings, []);
  const web = [...mesh.workloads.values()].find(({ labels }) => labels.app === "web");
  const inbound = web!.inbound.filter((port) => port.followsClients).map(({ port }) => port);
  const { followsClients = [] } = mesh.services.get("web.default.svc.cluster.local")!;
  return `${inbound.join()} / ${followsClients.join()}`;
}

describe("an application that is spoken to as its clients speak", () => {
  const cases: readonly (readonly [what: string, yaml: string, expected: string])[] = [
    ["by nobody's word is none", "", " / "],
    ["is what the DestinationRule of its service says, with all of its ports", rule(all), "80,81,90 / 80,81"],
    [
      "is what that says of one port",
      rule(
        `trafficPolicy: { portLevelSettings: [{ port: { number: 81 }, connectionPool: ${follows()} }, { port: { number: 90 } }] }`,
      ),
      "81 / 81",
    ],
    [
      "is not what it says of a subset alone",
      rule(
        `subsets: [{ name: v1, labels: { version: v1 }, trafficPolicy: { connectionPool: ${follows()} } }]`,
      ),
      " / ",
    ],
    [
      "is not what a rule says to the callers that it selects",
      rule(`workloadSelector: { matchLabels: { app: web } }, ${all}`),
      " / ",
    ],
    ["is not what callers of another namespace say for themselves", rule(all, "team"), " / "],
    ["is what its Sidecar says", sidecar(`inboundConnectionPool: ${follows()}`), "80,81,90 / 80,81"],
    [
      "is not, where its Sidecar has a pool that says nothing of it",
      rule(all) + sidecar("inboundConnectionPool: { http: { idleTimeout: 5s } }"),
      " / ",
    ],
    [
      "is what its Sidecar says of one listener, before what it says of all",
      sidecar(
        `inboundConnectionPool: ${follows()}, ingress: [{ port: { number: 80, protocol: HTTP, name: a }, connectionPool: ${follows(false)} }, { port: { number: 81, protocol: HTTP, name: b } }]`,
      ),
      "81 / 81",
    ],
    [
      "is what the rule says of a listener of its Sidecar without a pool",
      rule(all) + sidecar("ingress: [{ port: { number: 80, protocol: HTTP, name: a } }]"),
      "80 / 80",
    ],
  ];
  for (const [what, yaml, expected] of cases) it(what, () => assert.equal(followed(yaml), expected));

  it("cannot be asked for together with an upgrade", () => {
    const { findings } = fixture(
      scenario,
      rule(
        "trafficPolicy: { connectionPool: { http: { useClientProtocol: true, h2UpgradePolicy: UPGRADE } } }",
      ),
    );
    assert.equal(findings.length, 1, findings.join("\n"));
    assert.match(
      findings[0]!,
      /error W1106: useClientProtocol and h2UpgradePolicy: UPGRADE exclude each other/,
    );
  });

  it("is not upgraded by its Sidecar, which says so", () => {
    const { findings } = fixture(
      scenario,
      sidecar("inboundConnectionPool: { http: { h2UpgradePolicy: UPGRADE } }"),
    );
    assert.match(findings.join("\n"), /info W1305: .*h2UpgradePolicy UPGRADE is not used: as in Istio/);
  });
});
