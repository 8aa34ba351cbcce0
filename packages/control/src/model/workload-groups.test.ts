import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { WorkloadTemplate } from "@weft/xds/gen/weft/workload/v1/workload_template_pb";
import { fixture } from "../translate/mesh-fixture.ts";
import { translateSidecar } from "../translate/translate-sidecar.ts";

const group = `apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: { name: ratings-vm }
spec:
  metadata: { labels: { app: ratings, tier: vm, version: v1 } }
  template:
    labels: { app: other, site: eu }
    ports: { http: 9085, tcp-admin: 9443 }
    weight: 5
    serviceAccount: ratings
    locality: eu/eu-1
  probe: { periodSeconds: 3, httpGet: { port: 9085, path: /ready } }
---
`;
const service = `apiVersion: v1
kind: Service
metadata: { name: ratings }
spec:
  selector: { app: ratings, site: eu }
  ports: [{ port: 80, name: http }, { port: 81, name: tcp-admin, targetPort: tcp-admin }, { port: 82, name: tcp-own, targetPort: 9090 }]
---
`;
const member = {
  service: "",
  name: "vm-1",
  group: "ratings-vm",
  labels: { version: "v2" },
  serviceAccount: "ratings",
  ports: [],
};
const hostname = "ratings.default.svc.cluster.local";

describe("a member of a WorkloadGroup", () => {
  const { mesh, findings } = fixture({ workloads: [member, { service: "web" }] }, group + service);

  it("has the group's labels beneath its own, and serves who selects it by them", () => {
    assert.deepEqual(
      findings.filter((finding) => !finding.includes("template.locality")),
      [],
    );
    assert.deepEqual(mesh.workloads.get("vm-1.default")!.labels, {
      app: "ratings",
      site: "eu",
      tier: "vm",
      version: "v2",
    });
  });

  it("serves at the ports that the group names, with its weight and in its locality", () => {
    const [endpoint] = mesh.endpoints.get(hostname)!;
    assert.deepEqual(
      endpoint!.ports.map(({ servicePort, port }) => [servicePort, port]),
      [
        [80, 9085],
        [81, 9443],
        [82, 9090],
      ],
    );
    assert.equal(endpoint!.weight, 5);
    assert.deepEqual(endpoint!.locality, { region: "eu", zone: "eu-1", subZone: "" });
  });

  it("takes calls there, in the protocol that a port's name says", () => {
    const { inbound } = mesh.workloads.get("vm-1.default")!;
    assert.deepEqual(
      inbound.map(({ port, protocol }) => `${port} ${protocol}`),
      ["9085 http", "9090 tcp", "9443 tcp"],
    );
  });

  it("and nobody else is told the probe and the ports", () => {
    const given = (id: string) =>
      translateSidecar(mesh, mesh.workloads.get(id)!).workloadTemplate.map(({ message }) => message);
    const [template] = given("vm-1.default") as unknown as [
      { ports: number[]; probe: { period: { seconds: bigint }; method: { value: { path: string } } } },
    ];
    assert.deepEqual(template.ports, [9085, 9443]);
    assert.equal(template.probe.period.seconds, 3n);
    assert.equal(template.probe.method.value.path, "/ready");
    assert.deepEqual(given("web-v1.default"), []);
  });
});

describe("the probe that a member's agent is told", () => {
  for (const [written, told] of [
    [
      "grpc: { port: 9085, service: shop.Cart }",
      { case: "grpc", value: { port: 9085, service: "shop.Cart" } },
    ],
    ["grpc: { port: 9085 }", { case: "grpc", value: { port: 9085, service: "" } }],
    [
      "exec: { command: [test, -f, /run/ready] }",
      { case: "exec", value: { command: ["test", "-f", "/run/ready"] } },
    ],
  ] as const) {
    it(`is by ${written}`, () => {
      const probe = "httpGet: { port: 9085, path: /ready }";
      const { mesh, findings } = fixture({ workloads: [member] }, group.replace(probe, written));
      assert.deepEqual(
        findings.filter((finding) => finding.includes("probe")),
        [],
      );
      const [template] = translateSidecar(mesh, mesh.workloads.get("vm-1.default")!).workloadTemplate;
      const { method } = (template!.message as WorkloadTemplate).probe!;
      assert.deepEqual(
        [
          method.case,
          JSON.parse(JSON.stringify(method.value, (key, value) => (key === "$typeName" ? undefined : value))),
        ],
        [told.case, told.value],
      );
    });
  }
});

describe("a workload that is no member of the group it names", () => {
  const finding = (short: object) => fixture({ workloads: [{ ...member, ...short }] }, group).findings;

  it("because there is none", () => {
    assert.match(
      finding({ group: "rating" }).join(),
      /W2116: vm-1.default: there is no WorkloadGroup default\/rating/,
    );
  });

  it("because the group is of another namespace", () => {
    assert.match(finding({ namespace: "far" }).join(), /there is no WorkloadGroup far\/ratings-vm/);
  });

  it("because it is for another service account", () => {
    const { mesh, findings } = fixture({ workloads: [{ ...member, serviceAccount: "web" }] }, group);
    assert.match(findings.join(), /is for service account ratings, not web: use --service-account ratings/);
    assert.deepEqual(mesh.workloads.get("vm-1.default")!.labels, { version: "v2" });
  });
});
