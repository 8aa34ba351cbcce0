import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fixture } from "../translate/mesh-fixture.ts";

const service = (spec = "") =>
  `apiVersion: v1\nkind: Service\nmetadata: { name: db }\nspec: { ${spec} ports: [{ name: http, port: 80 }, { name: tcp, port: 90 }] }\n`;

function slice(name: string, endpoints: string, ports = "[{ name: http, port: 8080 }]"): string {
  const metadata = `{ name: ${name}, labels: { kubernetes.io/service-name: db } }`;
  return `---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: ${metadata}\naddressType: IPv4\nports: ${ports}\nendpoints: ${endpoints}\n`;
}

const endpoints = (labels: string, subsets: string) =>
  `---\napiVersion: v1\nkind: Endpoints\nmetadata: { name: db, labels: { ${labels} } }\nsubsets: ${subsets}\n`;

function served(yaml: string, workloads: Parameters<typeof fixture>[0]["workloads"] = []) {
  const { mesh, findings } = fixture({ workloads: [{ service: "web" }, ...workloads] }, yaml);
  const found = mesh.endpoints.get("db.default.svc.cluster.local")!;
  return {
    at: found.map(
      ({ address, ports }) => `${address} ${ports.map((p) => `${p.servicePort}>${p.port}`).join()}`,
    ),
    findings,
  };
}

describe("a Service without a selector is served by", () => {
  const conditions: readonly [conditions: string, isServed: boolean, why: string][] = [
    ["{}", true, "nothing is known: it counts as ready"],
    ["{ ready: true }", true, "ready"],
    ["{ ready: null }", true, "unknown"],
    ["{ ready: false }", false, "not ready"],
    ["{ ready: false, serving: true }", false, "not ready, and not about to end"],
    ["{ ready: true, serving: false }", true, "ready whatever else: it is published so"],
    ["{ ready: false, serving: true, terminating: true }", true, "about to end, and there is no other"],
    ["{ ready: false, serving: false, terminating: true }", false, "ending, and serves no more"],
    ["{ ready: false, terminating: true }", false, "not ready says that it does not serve"],
  ];
  for (const [written, isServed, why] of conditions) {
    it(`an endpoint ${isServed ? "" : "(not) "}with conditions ${written}: ${why}`, () => {
      const { at } = served(service() + slice("a", `[{ addresses: [192.0.2.1], conditions: ${written} }]`));
      assert.deepEqual(at, isServed ? ["192.0.2.1 80>8080"] : []);
    });
  }

  it("an endpoint that is about to end, no more as soon as another is ready", () => {
    const ending =
      "{ addresses: [192.0.2.1], conditions: { ready: false, serving: true, terminating: true } }";
    const first = slice("a", `[${ending}]`);
    assert.deepEqual(served(service() + first + slice("b", "[{ addresses: [192.0.2.2] }]")).at, [
      "192.0.2.2 80>8080",
    ]);
    const registered = { service: "db", name: "db-1", ports: [{ port: 80 }] };
    assert.deepEqual(served(service() + first, [registered]).at, ["10.0.0.2 80>80,90>90"]);
    assert.deepEqual(served(service() + first, [{ ...registered, isHealthy: false }]).at, [
      "192.0.2.1 80>8080",
    ]);
  });

  it("all of its slices, an address that is in several once and with all its ports", () => {
    const tcp = slice(
      "b",
      "[{ addresses: [192.0.2.1] }, { addresses: [192.0.2.2] }]",
      "[{ name: tcp, port: 9090 }]",
    );
    const { at } = served(service() + slice("a", "[{ addresses: [192.0.2.1] }]") + tcp);
    assert.deepEqual(at, ["192.0.2.1 80>8080,90>9090", "192.0.2.2 90>9090"]);
  });

  it("Endpoints beside slices, unless they are to be skipped", () => {
    const subsets = "[{ addresses: [{ ip: 192.0.2.3 }], ports: [{ name: http, port: 81 }] }]";
    const sliced = service() + slice("a", "[{ addresses: [192.0.2.1] }]");
    assert.deepEqual(served(sliced + endpoints("", subsets)).at, ["192.0.2.1 80>8080", "192.0.2.3 80>81"]);
    const skipped = endpoints('endpointslice.kubernetes.io/skip-mirror: "true"', subsets);
    assert.deepEqual(served(sliced + skipped).at, ["192.0.2.1 80>8080"]);
  });

  it("what registers itself in place of what is written of its address, also while it is unwell", () => {
    const yaml = service() + slice("a", "[{ addresses: [10.0.0.2] }]");
    const registered = { service: "db", name: "db-1", ports: [{ port: 80 }] };
    assert.deepEqual(served(yaml, [registered]).at, ["10.0.0.2 80>80,90>90"]);
    assert.deepEqual(served(yaml, [{ ...registered, isHealthy: false }]).at, []);
  });

  it("nothing that is written where it has a selector, and an empty one is none", () => {
    const slices = slice("a", "[{ addresses: [192.0.2.1] }]");
    const { at, findings } = served(service("selector: { app: db },") + slices);
    assert.deepEqual(at, []);
    assert.match(
      findings.join("\n"),
      /info W2135: this EndpointSlice is not used: Service default\/db has a selector/,
    );
    assert.deepEqual(served(service("selector: {},") + slices).at, ["192.0.2.1 80>8080"]);
  });
});

it("an empty selector of a Service selects nobody, and lets what registers by its name serve it", () => {
  const others = [{ service: "other" }, { service: "db", name: "db-1", ports: [{ port: 80 }] }];
  assert.deepEqual(served(service("selector: {},"), others).at, ["10.0.0.3 80>80,90>90"]);
});

it("an empty workloadSelector of a ServiceEntry selects nobody", () => {
  const entry = (labels: string) =>
    `apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: { name: a }\nspec: { hosts: [a.example], resolution: STATIC, ports: [{ number: 80, name: http }], workloadSelector: { ${labels} } }\n`;
  const found = (labels: string) =>
    fixture({ workloads: [{ service: "web" }] }, entry(labels)).mesh.endpoints.get("a.example")!.length;
  assert.equal(found("labels: { app: web }"), 1);
  assert.equal(found("labels: {}"), 0);
  assert.equal(found(""), 0);
});

it("a Service that publishes addresses that are not ready is served by workloads before they are well", () => {
  const workload = { service: "db", name: "db-1", ports: [{ port: 80 }], isHealthy: false };
  assert.deepEqual(served(service("selector: { app: db },"), [workload]).at, []);
  const published = service("publishNotReadyAddresses: true, selector: { app: db },");
  assert.deepEqual(served(published, [workload]).at, ["10.0.0.2 80>80,90>90"]);
});
