import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ResourceOf } from "../../config/resource.ts";
import { fixture } from "../../translate/mesh-fixture.ts";
import { resolveBackend } from "./backend-refs.ts";

const yaml = `apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: { name: one, namespace: shop }
spec:
  from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: edge }]
  to: [{ group: "", kind: Service, name: cart }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: { name: all, namespace: open }
spec:
  from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: edge }]
  to: [{ group: "", kind: Service }]
`;
const workloads = ["shop", "open", "edge"].flatMap((namespace) =>
  ["cart", "desk"].map((service) => ({ service, namespace })),
);
const { mesh, input } = fixture({ workloads }, yaml);
const grants = input.resources.filter(
  (resource): resource is ResourceOf<"ReferenceGrant"> => resource.kind === "ReferenceGrant",
);

describe("a reference into another namespace", () => {
  const cases: [from: string, to: string, name: string, reason: string | undefined][] = [
    ["edge", "shop", "cart", undefined],
    ["edge", "shop", "desk", "RefNotPermitted"],
    ["edge", "open", "desk", undefined],
    ["other", "open", "desk", "RefNotPermitted"],
    ["shop", "shop", "desk", undefined],
  ];
  for (const [from, namespace, name, reason] of cases) {
    it(`from ${from} to ${name} of ${namespace}: ${reason ?? "granted"}`, () => {
      const route = { kind: "HTTPRoute", namespace: from };
      const ref = { name, namespace, port: 9080 };
      const found = resolveBackend(ref, "spec", route, { ...mesh, grants });
      assert.equal(found.problem?.reason, reason);
      const own = `${name}.${namespace}.svc.cluster.local`;
      assert.equal(
        found.destination.host === own,
        reason === undefined,
        "what is not granted is not reached",
      );
      assert.equal(
        resolveBackend(ref, "spec", route, mesh).problem,
        undefined,
        "a service's routes need none",
      );
    });
  }
});
