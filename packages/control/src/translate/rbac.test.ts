import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toJson } from "@bufbuild/protobuf";
import { type RBAC, RBACSchema } from "@weft/xds/gen/envoy/config/rbac/v3/rbac_pb";
import type { MeshWorkload } from "../model/mesh.ts";
import type { AuthorizationAction } from "../model/security.ts";
import { fixture } from "./mesh-fixture.ts";
import { httpPolicyFilters } from "./policy-filters.ts";
import { rbacRules } from "./rbac.ts";
import { type RbacLevel, rbacContext } from "./rbac-context.ts";

function policy(action: string, rules: string): string {
  return `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: p }\nspec: { action: ${action}, rules: ${rules} }\n`;
}

function protectedBy(yaml: string): MeshWorkload {
  const { mesh, findings } = fixture({ workloads: [{ service: "db" }] }, yaml);
  assert.deepEqual(
    findings.filter((line) => line.includes(" error ")),
    [],
  );
  return mesh.workloads.get("db-v1.default")!;
}

function rules(workload: MeshWorkload, level: RbacLevel, action: AuthorizationAction = "ALLOW"): RBAC {
  return rbacRules(action, workload.policies, rbacContext(workload, level, options));
}

function json(rules: RBAC): string {
  return JSON.stringify(toJson(RBACSchema, rules));
}

const { options } = fixture({ workloads: [{ service: "db" }] }).mesh;

describe("authorization", () => {
  it("allows nothing when an ALLOW policy has no rules", () => {
    const workload = protectedBy(policy("ALLOW", "[]"));
    assert.equal(httpPolicyFilters(workload, options).length, 1);
    assert.equal(json(rules(workload, "http")), "{}");
  });

  it("is not there at all without a policy", () => {
    assert.deepEqual(httpPolicyFilters(protectedBy(""), options), []);
  });

  const requestParts = {
    "a method": "{ to: [{ operation: { methods: [GET] } }] }",
    "a method or a port": "{ to: [{ operation: { methods: [GET] } }, { operation: { ports: ['9080'] } }] }",
    "a header": '{ when: [{ key: "request.headers[a]", values: [b] }] }',
    "an end user": '{ from: [{ source: { requestPrincipals: ["*"] } }] }',
    "no end user": '{ from: [{ source: { notRequestPrincipals: ["*"] } }] }',
    "a claim": '{ when: [{ key: "request.auth.claims[a]", notValues: [b] }] }',
  };
  for (const [what, rule] of Object.entries(requestParts)) {
    it(`on TCP allows nothing by a rule with ${what}, which only a request would show`, () => {
      const workload = protectedBy(policy("ALLOW", `[${rule}]`));
      assert.deepEqual(Object.keys(rules(workload, "tcp").policies), []);
      assert.equal(Object.keys(rules(workload, "http").policies).length, 1);
    });
  }

  it("on TCP denies more rather than less where it cannot see the request", () => {
    const rule =
      "{ from: [{ source: { notRequestPrincipals: ['*'] } }], to: [{ operation: { methods: [GET], ports: ['9080'] } }] }";
    const workload = protectedBy(policy("DENY", `[${rule}]`));
    assert.deepEqual(toJson(RBACSchema, rules(workload, "tcp", "DENY")), {
      action: "DENY",
      policies: {
        "ns[default]-policy[p]-rule[0]": {
          permissions: [{ destinationPort: 9080 }],
          principals: [{ any: true }],
        },
      },
    });
  });

  it("takes cluster.local and every alias for the mesh's own trust domain", () => {
    const workload = protectedBy(
      policy(
        "DENY",
        "[{ from: [{ source: { principals: [cluster.local/ns/a/sa/b] } }, { source: { trustDomains: [old.example] } }] }]",
      ),
    );
    const elsewhere = { ...options, trustDomain: "corp.example", trustDomainAliases: ["old.example"] };
    const text = json(rbacRules("DENY", workload.policies, rbacContext(workload, "http", elsewhere)));
    for (const domain of ["corp.example", "old.example"])
      assert.ok(text.includes(`"spiffe://${domain}/ns/a/sa/b"`));
    assert.match(text, /"spiffe:\/\/\(\?:corp\\\\\.example\|old\\\\\.example\)\/ns\/\[\^\/\]\+\/sa/);
  });

  it("takes namespaces and service accounts for those of its own trust domain", () => {
    const sources = "{ source: { namespaces: [a] } }, { source: { serviceAccounts: [b] } }";
    const text = json(rules(protectedBy(policy("ALLOW", `[{ from: [${sources}] }]`)), "http"));
    const named = text.match(/spiffe:[^"]+/g) ?? [];
    assert.deepEqual(named, [
      "spiffe://cluster\\\\.local/ns/a/sa/[^/]+",
      "spiffe://cluster\\\\.local/ns/default/sa/b",
    ]);
  });
});
