import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { formatDiagnostic } from "@weft/base/diagnostics";
import { fixture } from "../translate/mesh-fixture.ts";
import { buildMesh } from "./build-mesh.ts";

const reviews = { workloads: [{ service: "reviews" }, { service: "productpage" }] };

function virtualService(name: string, http: string, host = "reviews"): string {
  return `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: ${name} }\nspec:\n  hosts: [${host}]\n  http:\n${http}---\n`;
}

describe("references are checked where they are written", () => {
  const cases: [name: string, yaml: string, ...expected: string[]][] = [
    [
      "a subset that no DestinationRule defines",
      virtualService("a", "    - route: [{ destination: { host: reviews, subset: v9 } }]\n"),
      'mesh.yaml:7:55: error IST0101: subset "v9" of reviews.default.svc.cluster.local does not exist (add a DestinationRule for reviews that defines it)',
    ],
    [
      "a host that is not known",
      virtualService("a", "    - route: [{ destination: { host: review } }]\n"),
      'mesh.yaml:7:38: warning IST0101: host review.default.svc.cluster.local is not known: calls routed to it are answered with 503 (did you mean "reviews.default.svc.cluster.local"?)',
    ],
    [
      "a name that Istio does not complete",
      virtualService("a", "    - route: [{ destination: { host: reviews.default } }]\n"),
      'mesh.yaml:7:38: warning IST0101: host reviews.default is not known: calls routed to it are answered with 503 (did you mean "reviews.default.svc.cluster.local"?)',
    ],
    [
      "a port that the service does not have",
      virtualService("a", "    - route: [{ destination: { host: reviews, port: { number: 80 } } }]\n"),
      "mesh.yaml:7:63: warning W2102: reviews.default.svc.cluster.local has no port 80 (its ports: 9080)",
    ],
    [
      "two VirtualServices for one host",
      virtualService("a", "    - route: [{ destination: { host: reviews } }]\n") +
        virtualService(
          "b",
          "    - route: [{ destination: { host: reviews } }]\n",
          "reviews.default.svc.cluster.local",
        ),
      'mesh.yaml:13:11: error IST0109: VirtualServices "a" and "b" both route reviews.default.svc.cluster.local: only one can (merge them into one; the other is at mesh.yaml:5:11)',
    ],
    [
      "a rule after one that matches everything",
      virtualService(
        "a",
        "    - route: [{ destination: { host: reviews } }]\n    - match: [{ uri: { exact: /a } }]\n      route: [{ destination: { host: reviews } }]\n",
      ),
      "mesh.yaml:8:7: warning IST0130: spec.http[1] never applies: spec.http[0] already matches every request (put the rule without match last)",
    ],
    [
      "a match written twice",
      virtualService(
        "a",
        "    - match: [{ uri: { exact: /a } }]\n      route: [{ destination: { host: reviews } }]\n    - match: [{ uri: { exact: /a } }]\n      route: [{ destination: { host: reviews } }]\n",
      ),
      "mesh.yaml:9:15: warning IST0131: spec.http[1].match[0] never applies: spec.http[0] matches the same (remove one of them)",
    ],
    [
      "a policy for workloads that are not there",
      "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: a }\nspec:\n  selector: { matchLabels: { app: review } }\n",
      "mesh.yaml:5:15: warning IST0127: no workload of namespace default has these labels: the policy protects nothing yet",
    ],
  ];
  for (const [name, yaml, ...expected] of cases) {
    it(name, () => assert.deepEqual(fixture(reviews, yaml).findings, expected));
  }
});

const folder = new URL("../../testdata/istio-bookinfo/", import.meta.url);
const bookinfo = {
  workloads: ["productpage", "details", "ratings", "reviews"].map((service) => ({ service })),
};

function sample(file: string): string {
  return readFileSync(new URL(file, folder), "utf8");
}

describe("bookinfo as Istio ships it", () => {
  /** What is said about a file beyond the services and subsets all of them build on: each line is true of it. */
  const remarks: Record<string, readonly RegExp[]> = {
    "bookinfo-gateway.yaml": [/W2130/],
    "certmanager-gateway.yaml": [/W2130/, /IST0101: host cert-manager-resolver/],
    "fault-injection-details-v1.yaml": [/IST0130/],
  };
  for (const file of readdirSync(folder).filter((f) => f.endsWith(".yaml"))) {
    it(`${file} raises no false alarm`, () => {
      const hasSubsets = sample(file).includes("kind: DestinationRule") && !file.startsWith("egress");
      const subsets =
        hasSubsets && !file.startsWith("virtual-service") ? "" : sample("destination-rule-all.yaml");
      const { findings } = fixture(bookinfo, `${sample(file)}\n---\n${subsets}`, file);
      const heard = findings.filter((f) => !/ info W1304: /.test(f));
      const expected = remarks[file] ?? [];
      assert.equal(heard.length, expected.length, heard.join("\n"));
      expected.forEach((pattern, i) => {
        assert.match(heard[i]!, pattern);
      });
    });
  }
});

describe("bookinfo's routes of the Gateway API", () => {
  const services = `${sample("platform-bookinfo.yaml")}\n---\n${sample("platform-bookinfo-versions.yaml")}`;
  for (const file of readdirSync(new URL("gateway-api/", folder))) {
    it(`${file} raises no false alarm`, () => {
      const { findings, mesh } = fixture(bookinfo, `${sample(`gateway-api/${file}`)}\n---\n${services}`);
      const heard = findings.filter((f) => !/ info W1304: /.test(f));
      if (file === "bookinfo-gateway.yaml") {
        assert.deepEqual(heard, []);
        assert.ok(mesh.gatewayRouting.has("default/bookinfo-gateway/http"));
        return;
      }
      assert.deepEqual(heard, []);
      assert.ok(mesh.attached.has("reviews.default.svc.cluster.local"));
    });
  }
});

describe("the mesh", () => {
  it("is the same in whatever order its resources and workloads arrive", () => {
    const yaml = ["destination-rule-all.yaml", "virtual-service-all-v1.yaml", "platform-bookinfo.yaml"].map(
      sample,
    );
    const contended = virtualService("z", "    - route: [{ destination: { host: ratings } }]\n", "ratings");
    const { input, mesh, diagnostics } = fixture(bookinfo, [...yaml, contended].join("\n---\n"));
    assert.ok(
      diagnostics.some((d) => d.code === "IST0109"),
      "the contended host is noticed",
    );
    const codes = new Set(buildMesh(input).diagnostics.map(formatDiagnostic));
    let seed = 7;
    const shuffled = <T>(list: readonly T[]): T[] =>
      list
        .map((item) => {
          seed = (seed * 48271) % 2147483647;
          return { item, key: seed };
        })
        .sort((a, b) => a.key - b.key)
        .map(({ item }) => item);
    for (let i = 0; i < 100; i++) {
      const other = buildMesh({
        ...input,
        // Copies, of which nothing can be known from before.
        resources: shuffled(input.resources).map((resource) => ({ ...resource })),
        workloads: shuffled(input.workloads),
      });
      assert.deepEqual(other.mesh, mesh);
      assert.deepEqual([...other.mesh.services.keys()], [...mesh.services.keys()]);
      assert.deepEqual(new Set(other.diagnostics.map(formatDiagnostic)), codes);
    }
  });

  it("gives a workload's port the narrowest PeerAuthentication that says something", () => {
    const authentication = (name: string, namespace: string, spec: string) =>
      `apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: ${spec}\n---\n`;
    const yaml =
      authentication("mesh", "istio-system", "{ mtls: { mode: DISABLE } }") +
      authentication("ns", "default", "{ mtls: { mode: PERMISSIVE } }") +
      authentication(
        "own",
        "default",
        "{ selector: { matchLabels: { app: reviews } }, mtls: { mode: UNSET }, portLevelMtls: { 9080: { mode: STRICT } } }",
      );
    const workloads = [{ service: "reviews" }, { service: "ratings" }, { service: "x", namespace: "far" }];
    const { mesh } = fixture({ workloads }, yaml);
    const modes = [...mesh.workloads.values()].map((w) => [w.id, w.mtlsMode, w.inbound[0]!.mtlsMode]);
    assert.deepEqual(modes, [
      ["ratings-v1.default", "PERMISSIVE", "PERMISSIVE"],
      ["reviews-v1.default", "PERMISSIVE", "STRICT"],
      ["x-v1.far", "DISABLE", "DISABLE"],
    ]);
    const [endpoint] = mesh.endpoints.get("x.far.svc.cluster.local")!;
    assert.equal(
      endpoint!.ports[0]!.isMutualTls,
      false,
      "nobody speaks mutual TLS to a port that refuses it",
    );
  });
});
