import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatDiagnostic } from "@weft/base/diagnostics";
import { fixture } from "../../translate/mesh-fixture.ts";
import { buildMesh } from "../build-mesh.ts";
import { type HttpRoute, routesTo } from "../routing.ts";

const scenario = { workloads: [{ service: "a" }, { service: "b" }] };
const host = "a.default.svc.cluster.local";

function route(name: string, spec: string, { namespace = "default", at = "" } = {}): string {
  const made = at && `, creationTimestamp: "${at}"`;
  return `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name}, namespace: ${namespace}${made} }
spec:
  parentRefs: [{ group: "", kind: Service, name: a, namespace: default }]
  rules: ${spec}
---
`;
}

const to = (path: string) =>
  `[{ matches: [{ path: { value: ${path} } }], backendRefs: [{ name: b, namespace: default, port: 9080 }] }]`;

/** The names of the routes that a caller of this namespace has, first to last. */
function routesOf(yaml: string, namespace = "default"): string[] {
  const { mesh } = fixture(scenario, yaml);
  return named(routesTo(host, 9080, mesh, { namespace })?.http ?? []);
}

const named = (routes: readonly HttpRoute[]) => routes.map(({ name }) => name);

describe("routes attached to one service", () => {
  it("are one list, the most specific match first, whichever resource it is of", () => {
    const yaml = route("one", to("/a")) + route("two", to("/a/b/c")) + route("three", to("/a/b"));
    assert.deepEqual(routesOf(yaml), ["default/two/0", "default/three/0", "default/one/0"]);
  });

  it("contend by age, then by name; one without an age was there before", () => {
    const yaml =
      route("a-young", to("/x"), { at: "2026-03-01T00:00:00Z" }) +
      route("d-old", to("/x"), { at: "2026-01-01T00:00:00Z" }) +
      route("c-old", to("/x"), { at: "2026-01-01T00:00:00Z" }) +
      route("e-ageless", to("/x"));
    assert.deepEqual(routesOf(yaml), [
      "default/e-ageless/0",
      "default/c-old/0",
      "default/d-old/0",
      "default/a-young/0",
    ]);
  });

  it("are for the callers of their namespace alone where the service is of another", () => {
    const yaml = route("producer", to("/")) + route("consumer", to("/"), { namespace: "shop" });
    assert.deepEqual(routesOf(yaml, "shop"), ["shop/consumer/0"], "in place of the producer's");
    assert.deepEqual(routesOf(yaml, "other"), ["default/producer/0"]);
  });

  it("stand in place of a VirtualService, where there are any for the caller", () => {
    const virtual = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: a }
spec: { hosts: [a], http: [{ name: istio, route: [{ destination: { host: b } }] }] }
---
`;
    const yaml = virtual + route("consumer", to("/"), { namespace: "shop" });
    assert.deepEqual(routesOf(yaml, "shop"), ["shop/consumer/0"]);
    assert.deepEqual(routesOf(yaml), ["istio"]);
  });

  it("are bounded: the younger of too many does nothing, and says so", () => {
    const matches = `matches: [${Array.from({ length: 64 }, (_, i) => `{ path: { value: /p${i} } }`).join(", ")}]`;
    const rules = `[{ ${matches}, backendRefs: [{ name: b, port: 9080 }] }]`;
    const routes = Array.from({ length: 65 }, (_, i) => route(`r${String(i).padStart(2, "0")}`, rules));
    const { mesh, findings, input } = fixture(scenario, routes.join(""));
    assert.equal(routesTo(host, 9080, mesh, { namespace: "default" })!.http.length, 4096);
    assert.match(
      findings[0]!,
      /a\.default.*:9080 has 4096 matches without this HTTPRoute: this one does nothing/,
    );
    const [accepted] = buildMesh(input).routes.get("HTTPRoute/default/r64")![0]!.conditions;
    assert.deepEqual([accepted!.isTrue, accepted!.reason], [false, "UnsupportedValue"]);
  });

  it("are the same in whatever order they arrive, with what is said of them", () => {
    const at = (i: number) => (i % 3 === 0 ? { at: `2026-01-0${i + 1}T00:00:00Z` } : {});
    const yaml = ["/x", "/y", "/x/y", "/x", "/x", "/"]
      .map((path, i) => route(`r${i}`, to(path), at(i)))
      .join("");
    const tcp = route("t", "[{ backendRefs: [{ name: b, port: 9080 }] }]").replace("HTTPRoute", "GRPCRoute");
    const { input, mesh, findings } = fixture(
      scenario,
      `${yaml}${route("c", to("/x"), { namespace: "shop" })}${tcp}`,
    );
    const { routes } = buildMesh(input);
    let seed = 7;
    const random = () => {
      seed = (seed * 48271) % 2147483647;
      return seed;
    };
    for (let i = 0; i < 100; i++) {
      const keyed = input.resources.map((resource) => ({ resource, key: random() }));
      const shuffled = keyed.sort((a, b) => a.key - b.key).map(({ resource }) => resource);
      const other = buildMesh({ ...input, resources: shuffled });
      assert.deepEqual([...other.mesh.attached], [...mesh.attached]);
      assert.deepEqual(new Map([...other.routes].sort()), new Map([...routes].sort()));
      assert.deepEqual(other.diagnostics.map(formatDiagnostic), findings);
    }
  });
});

it("of several kinds of routes on one port the most specific is in force, and the other says so", () => {
  const yaml = `apiVersion: v1
kind: Service
metadata: { name: calls }
spec: { selector: { app: b }, ports: [{ name: grpc, port: 9080 }] }
---
${["HTTPRoute", "GRPCRoute"]
  .map(
    (kind) => `apiVersion: gateway.networking.k8s.io/v1
kind: ${kind}
metadata: { name: r }
spec: { parentRefs: [{ group: "", kind: Service, name: calls }], rules: [{ backendRefs: [{ name: b, port: 9080 }] }] }
`,
  )
  .join("---\n")}`;
  const { routes } = buildMesh(fixture(scenario, yaml).input);
  const accepted = (key: string) => routes.get(key)![0]!.conditions[0]!;
  assert.equal(accepted("GRPCRoute/default/r").isTrue, true);
  const { isTrue, reason, message } = accepted("HTTPRoute/default/r");
  assert.deepEqual([isTrue, reason], [false, "Conflicted"]);
  assert.match(
    message,
    /calls\.default\.svc\.cluster\.local:9080 has a route that goes before this HTTPRoute/,
  );
});

describe("the status of a route", () => {
  const cases: [name: string, spec: string, ...conditions: string[]][] = [
    [
      "that is attached and whose backends are known",
      '{ parentRefs: [{ group: "", kind: Service, name: a }], rules: [{ backendRefs: [{ name: b, port: 9080 }] }] }',
      "Accepted true Accepted",
      "ResolvedRefs true ResolvedRefs",
    ],
    [
      "whose backend is not known",
      '{ parentRefs: [{ group: "", kind: Service, name: a }], rules: [{ backendRefs: [{ name: c, port: 9080 }] }] }',
      "Accepted true Accepted",
      "ResolvedRefs false BackendNotFound",
    ],
    [
      "whose backend is no service",
      '{ parentRefs: [{ group: "", kind: Service, name: a }], rules: [{ backendRefs: [{ group: x.example, kind: Y, name: c }] }] }',
      "Accepted true Accepted",
      "ResolvedRefs false InvalidKind",
    ],
    [
      "whose service is not known",
      '{ parentRefs: [{ group: "", kind: Service, name: nobody }] }',
      "Accepted false NoMatchingParent",
      "ResolvedRefs true ResolvedRefs",
    ],
    [
      "whose port the service does not have",
      '{ parentRefs: [{ group: "", kind: Service, name: a, port: 81 }] }',
      "Accepted false NoMatchingParent",
      "ResolvedRefs true ResolvedRefs",
    ],
    ["of a parent that another controller serves", "{ parentRefs: [{ name: a-gateway }] }"],
  ];
  for (const [name, spec, ...expected] of cases) {
    it(name, () => {
      const yaml = `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: r }\nspec: ${spec}\n`;
      const { routes } = buildMesh(fixture(scenario, yaml).input);
      const conditions = (routes.get("HTTPRoute/default/r") ?? []).flatMap((parent) => parent.conditions);
      const shown = conditions.map(({ type, isTrue, reason }) => `${type} ${isTrue} ${reason}`);
      assert.deepEqual(shown, expected);
    });
  }
});
