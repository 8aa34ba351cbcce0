import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { builtGateways, words } from "./test-gateways.ts";

const gateway = (name: string) =>
  `apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: { name: ${name}, namespace: front }\nspec: { gatewayClassName: weft, listeners: [{ name: http, port: 80, protocol: HTTP }] }\n---\n`;
const route = (name: string, parent: string, backend: string, more = "") =>
  `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: ${name}, namespace: front }\nspec: { parentRefs: [{ ${parent} }], rules: [{ backendRefs: [{ ${backend} }]${more} }] }\n---\n`;
const policy = (name: string, targets: string, trust = "wellKnownCACertificates: System") =>
  `apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: { name: ${name}, namespace: front }\nspec: { targetRefs: [${targets}], validation: { hostname: web.internal, ${trust} } }\n---\n`;
const service = (name: string, more = "") => `{ group: "", kind: Service, name: ${name}${more} }`;
const workloads = [
  { service: "web", namespace: "front", ports: [{ port: 80 }, { port: 8443 }] },
  { service: "api", namespace: "front" },
];

function ancestors(yaml: string, name: string) {
  const { policyStatuses } = builtGateways(yaml, { workloads });
  return policyStatuses.get(`BackendTLSPolicy/front/${name}`)!.map(({ ancestorRef, conditions }) => {
    const { kind, name: of } = ancestorRef;
    return [`${kind} ${of}`, ...words(conditions)].join(", ");
  });
}

const well = "Accepted true Accepted, ResolvedRefs true ResolvedRefs";

describe("the status of a BackendTLSPolicy", () => {
  it("is told of every Gateway that leads to what it is for, once each, and of that itself", () => {
    const yaml =
      gateway("b") +
      gateway("a") +
      gateway("c") +
      route("one", "name: a", "name: web, port: 80") +
      route("two", "name: a", "name: web, port: 8443") +
      route(
        "three",
        "name: b",
        "name: api, port: 9080",
        `, filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: web, port: 80 } } }]`,
      ) +
      route("four", "name: c", "name: api, port: 9080") +
      policy("p", service("web"));
    assert.deepEqual(ancestors(yaml, "p"), [
      `Gateway a, ${well}`,
      `Gateway b, ${well}`,
      `Service web, ${well}`,
    ]);
  });

  it("is told of what it is for alone where no Gateway leads there: callers in the mesh need none", () => {
    const yaml =
      gateway("a") +
      route("mesh", `group: "", kind: Service, name: web`, "name: web, port: 80") +
      policy("p", service("web"));
    assert.deepEqual(ancestors(yaml, "p"), [`Service web, ${well}`]);
  });

  it("of a port is told of no Gateway that leads to another port", () => {
    const yaml =
      gateway("a") +
      gateway("b") +
      route("one", "name: a", "name: web, port: 80") +
      route("two", "name: b", "name: web, port: 8443") +
      policy("p", service("web", ", sectionName: http-8443"));
    assert.deepEqual(ancestors(yaml, "p"), [`Gateway b, ${well}`, `Service web, ${well}`]);
  });

  it("says of a Gateway what is wrong with any of the targets that it leads to", () => {
    const yaml =
      gateway("a") +
      gateway("b") +
      route("one", "name: a", "name: web, port: 80") +
      route("two", "name: a", "name: api, port: 9080") +
      route("three", "name: b", "name: web, port: 80") +
      policy("first", service("api")) +
      policy("second", `${service("web")}, ${service("api")}`);
    const lost = "Accepted false Conflicted, ResolvedRefs true ResolvedRefs";
    assert.deepEqual(ancestors(yaml, "second"), [
      `Gateway a, ${lost}`,
      `Gateway b, ${well}`,
      `Service web, ${well}`,
      `Service api, ${lost}`,
    ]);
  });

  it("without anything that verifies says so to all of them", () => {
    const gone = 'caCertificateRefs: [{ group: "", kind: ConfigMap, name: gone }]';
    const yaml =
      gateway("a") + route("one", "name: a", "name: web, port: 80") + policy("p", service("web"), gone);
    const lost = "Accepted false NoValidCACertificate, ResolvedRefs false InvalidCACertificateRef";
    assert.deepEqual(ancestors(yaml, "p"), [`Gateway a, ${lost}`, `Service web, ${lost}`]);
  });

  it("names no more than sixteen", () => {
    const names = Array.from({ length: 20 }, (_, i) => `g${String(i).padStart(2, "0")}`);
    const yaml = names.map((name) => gateway(name) + route(name, `name: ${name}`, "name: web, port: 80"));
    assert.equal(ancestors(yaml.join("") + policy("p", service("web")), "p").length, 16);
  });
});
