import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { formatDiagnostic } from "@weft/base/diagnostics";
import { fixture } from "../../translate/mesh-fixture.ts";
import { buildMesh } from "../build-mesh.ts";
import { policyFor } from "../traffic-policy.ts";

const golden = new URL("../../../testdata/golden/backend-tls-policy.in.yaml", import.meta.url);
const trust =
  /^apiVersion: v1\nkind: ConfigMap\nmetadata: \{ name: backend-ca \}[\s\S]*?-----END CERTIFICATE-----\n/m.exec(
    readFileSync(golden, "utf8"),
  )![0];

const scenario = { workloads: [{ service: "web" }, { service: "api", ports: [{ port: 80 }, { port: 90 }] }] };

interface Wanted {
  readonly name: string;
  readonly target?: string;
  readonly at?: string;
  readonly refs?: string;
  readonly host?: string;
}

const map = "{ group: '', kind: ConfigMap, name: backend-ca }";

function policy({ name, target = "name: api", at, refs = map, host = name }: Wanted): string {
  const made = at ? `, creationTimestamp: "${at}"` : "";
  return `apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: { name: ${name}${made} }
spec:
  targetRefs: [{ group: "", kind: Service, ${target} }]
  validation: { hostname: ${host}, caCertificateRefs: [${refs}] }
`;
}

function build(...policies: Wanted[]) {
  const { input, diagnostics } = fixture(scenario, [trust, ...policies.map(policy)].join("---\n"));
  const { mesh, policyStatuses } = buildMesh(input);
  const service = mesh.services.get("api.default.svc.cluster.local")!;
  const conditions = (name: string) =>
    policyStatuses
      .get(`BackendTLSPolicy/default/${name}`)!
      .flatMap((ancestor) =>
        ancestor.conditions.map(({ type, isTrue, reason }) => `${type} ${isTrue} ${reason}`),
      );
  return {
    serverNames: [80, 90].map((port) => policyFor(port, service.policy).tls?.sni),
    isUnverifiable: policyFor(80, service.policy).tls?.isUnverifiable ?? false,
    conditions,
    findings: diagnostics.map(formatDiagnostic),
  };
}

const fine = ["Accepted true Accepted", "ResolvedRefs true ResolvedRefs"];

describe("BackendTLSPolicies", () => {
  it("contend by age, then by name, and one for a port goes before one for the service", () => {
    const built = build(
      { name: "b", at: "2026-01-01T00:00:00Z" },
      { name: "a", at: "2026-02-01T00:00:00Z" },
      { name: "port", target: "name: api, sectionName: http-90", at: "2026-03-01T00:00:00Z" },
    );
    assert.deepEqual(built.serverNames, ["b", "port"]);
    assert.deepEqual(built.conditions("b"), fine);
    assert.deepEqual(built.conditions("port"), fine);
    assert.deepEqual(built.conditions("a"), ["Accepted false Conflicted", fine[1]]);
    assert.match(built.findings.join("\n"), /W2124: BackendTLSPolicy default\/b is for Service api too/);
    assert.deepEqual(build({ name: "b" }, { name: "a" }).serverNames, ["a", "a"]);
  });

  it("of which nothing can be verified leave their service to nobody", () => {
    const missing = "{ group: '', kind: ConfigMap, name: gone }";
    const built = build({ name: "a", refs: missing });
    assert.equal(built.isUnverifiable, true);
    assert.deepEqual(built.conditions("a"), [
      "Accepted false NoValidCACertificate",
      "ResolvedRefs false InvalidCACertificateRef",
    ]);
    const half = build({ name: "a", refs: `${missing}, ${map}` });
    assert.equal(half.isUnverifiable, false);
    assert.deepEqual(half.conditions("a"), [fine[0], "ResolvedRefs false InvalidCACertificateRef"]);
    const kind = build({ name: "a", refs: "{ group: '', kind: Secret, name: backend-ca }" });
    assert.deepEqual(kind.conditions("a"), [
      "Accepted false NoValidCACertificate",
      "ResolvedRefs false InvalidKind",
    ]);
  });

  it("for what is not there say so", () => {
    for (const target of ["name: nobody", "name: api, sectionName: https"]) {
      const built = build({ name: "a", target });
      assert.deepEqual(built.serverNames, [undefined, undefined]);
      assert.deepEqual(built.conditions("a"), ["Accepted false TargetNotFound", fine[1]], target);
    }
  });

  const mistakes: [string, string, RegExp][] = [
    ["nothing to verify by", "hostname: a", /says nothing that verifies/],
    ["both ways", `hostname: a, wellKnownCACertificates: System, caCertificateRefs: [${map}]`, /at once/],
    [
      "other authorities",
      "hostname: a, wellKnownCACertificates: example.com/own",
      /W1302: .* example\.com\/own/,
    ],
    [
      "a name of the other type",
      "hostname: a, wellKnownCACertificates: System, subjectAltNames: [{ type: URI, hostname: b }]",
      /type URI needs uri/,
    ],
  ];
  for (const [name, validation, want] of mistakes) {
    it(`refuse ${name}`, () => {
      const { diagnostics } = fixture(
        scenario,
        policy({ name: "a" }).replace(/validation: .*/, `validation: { ${validation} }`),
      );
      assert.match(diagnostics.map(formatDiagnostic).join("\n"), want);
    });
  }

  it("refuse one service twice", () => {
    const twice = policy({ name: "a" }).replace(
      "name: api }]",
      'name: api }, { group: "", kind: Service, name: api }]',
    );
    assert.match(fixture(scenario, twice).findings.join("\n"), /W1210: .* is a target twice/);
  });
});
