import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toJson } from "@bufbuild/protobuf";
import { RBACSchema } from "@weft/xds/gen/envoy/config/rbac/v3/rbac_pb";
import type { MeshWorkload } from "../model/mesh.ts";
import { fixture } from "./mesh-fixture.ts";
import { workloadRbac } from "./rbac.ts";

function policy(action: string, rules: string): string {
  return `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: p }\nspec: { action: ${action}, rules: ${rules} }\n`;
}

function protectedBy(yaml: string): MeshWorkload {
  return fixture({ workloads: [{ service: "db" }] }, yaml).mesh.workloads.get("db-v1.default")!;
}

describe("authorization", () => {
  it("allows nothing when an ALLOW policy has no rules", () => {
    const { allow, deny } = workloadRbac(protectedBy(policy("ALLOW", "[]")), "http");
    assert.deepEqual(allow && toJson(RBACSchema, allow), {});
    assert.equal(deny, undefined);
  });

  it("is not there at all without a policy", () => {
    assert.deepEqual(workloadRbac(protectedBy(""), "http"), {});
  });

  it("on TCP never allows by what only a request would show", () => {
    const byMethod = protectedBy(policy("ALLOW", "[{ to: [{ operation: { methods: [GET] } }] }]"));
    assert.deepEqual(Object.keys(workloadRbac(byMethod, "tcp").allow!.policies), []);
    assert.equal(Object.keys(workloadRbac(byMethod, "http").allow!.policies).length, 1);
    const byHeader = protectedBy(policy("ALLOW", '[{ when: [{ key: "request.headers[a]", values: [b] }] }]'));
    assert.deepEqual(Object.keys(workloadRbac(byHeader, "tcp").allow!.policies), []);
  });

  it("on TCP denies more rather than less where it cannot see the request", () => {
    const workload = protectedBy(
      policy("DENY", "[{ to: [{ operation: { methods: [GET], ports: ['9080'] } }] }]"),
    );
    const { deny } = workloadRbac(workload, "tcp");
    assert.deepEqual(toJson(RBACSchema, deny!), {
      action: "DENY",
      policies: {
        "ns[default]-policy[p]-rule[0]": {
          permissions: [{ destinationPort: 9080 }],
          principals: [{ any: true }],
        },
      },
    });
  });

  it("takes cluster.local for the mesh's own trust domain", () => {
    const workload = protectedBy(
      policy("DENY", "[{ from: [{ source: { principals: [cluster.local/ns/a/sa/b] } }] }]"),
    );
    const elsewhere = { ...workload, identity: "spiffe://corp.example/ns/default/sa/db" };
    const text = JSON.stringify(toJson(RBACSchema, workloadRbac(elsewhere, "http").deny!));
    assert.match(text, /spiffe:\/\/corp\.example\/ns\/a\/sa\/b/);
  });
});
