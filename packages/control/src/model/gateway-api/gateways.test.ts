import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatDiagnostic } from "@weft/base/diagnostics";
import { TestCa } from "@weft/testkit/test-ca";
import type { RouteConfiguration } from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import { parseConfig } from "../../config/parse-config.ts";
import { fixture, type Scenario } from "../../translate/mesh-fixture.ts";
import { translateSidecar } from "../../translate/translate-sidecar.ts";
import { buildMesh } from "../build-mesh.ts";
import { words } from "./test-gateways.ts";

const gatewayLabel = "gateway.networking.k8s.io/gateway-name";
const proxy = {
  service: "",
  name: "edge",
  namespace: "front",
  isGateway: true,
  interception: "NONE",
  ports: [],
  labels: { [gatewayLabel]: "shop" },
} as const;
const scenario: Scenario = {
  workloads: [proxy, { service: "web", namespace: "front" }, { service: "api", namespace: "back" }],
};

const gateway = (listeners: string, className = "istio") =>
  `apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: { name: shop, namespace: front }\nspec:\n  gatewayClassName: ${className}\n  listeners:\n${listeners}---\n`;
const http = (more = "") => `    - { name: http, port: 80, protocol: HTTP${more} }\n`;

function route(
  name: string,
  more: string,
  rule = "backendRefs: [{ name: web, port: 9080 }]",
  namespace = "front",
): string {
  return `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec:\n  parentRefs: [{ name: shop, namespace: front }]\n  ${more}\n  rules: [{ ${rule} }]\n---\n`;
}

function build(yaml: string) {
  const { mesh, input } = fixture(scenario, yaml);
  const { routes, gateways, diagnostics } = buildMesh(input);
  const given = translateSidecar(mesh, mesh.workloads.get("edge.front")!);
  const hosts = given.route.flatMap(({ message }) =>
    (message as RouteConfiguration).virtualHosts.map(({ domains, routes: own }) => [
      domains.join(),
      ...own.map(
        ({ match, action }) =>
          `${match!.pathSpecifier.value}→${action.case === "route" ? action.value.clusterSpecifier.value : action.case}`,
      ),
    ]),
  );
  const reasons = (key: string) =>
    routes.get(key)?.map(({ conditions }) => conditions.map(({ reason }) => reason).join()) ?? [];
  const listeners = gateways.get("KubernetesGateway/front/shop")?.listeners ?? [];
  return {
    mesh,
    given,
    hosts,
    reasons,
    listeners,
    gateways,
    said: diagnostics.map(formatDiagnostic).join("\n"),
  };
}

const web = "outbound|9080||web.front.svc.cluster.local";
const api = "outbound|9080||api.back.svc.cluster.local";

describe("a route at a listener", () => {
  it("is served for the hosts that both name, by the most specific match of all routes", () => {
    const yaml =
      gateway(http(', hostname: "*.example.com"')) +
      route("all", "hostnames: [a.example.com, other.example.org]") +
      route(
        "wide",
        'hostnames: ["*.example.com"]',
        "matches: [{ path: { value: /wide } }], backendRefs: [{ name: web, port: 9080 }]",
      ) +
      route(
        "narrow",
        "hostnames: [a.example.com]",
        "matches: [{ path: { type: Exact, value: /x } }], backendRefs: [{ name: web, port: 9080 }]",
      ) +
      route("rest", "", "matches: [{ path: { value: /rest } }], backendRefs: [{ name: web, port: 9080 }]");
    const { hosts, listeners, reasons } = build(yaml);
    assert.deepEqual(hosts, [
      ["*.example.com", `/rest→${web}`, `/wide→${web}`],
      ["a.example.com", `/x→${web}`, `/→${web}`],
    ]);
    assert.equal(listeners[0]!.attachedRoutes, 4);
    assert.deepEqual(reasons("HTTPRoute/front/all"), ["Accepted,ResolvedRefs"]);
  });

  const cases: [name: string, listeners: string, route: string, reasons: string[]][] = [
    [
      "has none of its hostnames",
      http(", hostname: a.example.com"),
      route("r", "hostnames: [b.example.com]"),
      ["NoMatchingListenerHostname,ResolvedRefs"],
    ],
    [
      "is of another namespace than it takes",
      http(),
      route("r", "", undefined, "back"),
      ["NotAllowedByListeners,BackendNotFound"],
    ],
    [
      "is of a namespace it takes by name",
      http(
        ", allowedRoutes: { namespaces: { from: Selector, selector: { matchLabels: { kubernetes.io/metadata.name: back } } } }",
      ),
      route("r", "", "backendRefs: [{ name: api, port: 9080 }]", "back"),
      ["Accepted,ResolvedRefs"],
    ],
    [
      "is of any namespace where all are taken",
      http(", allowedRoutes: { namespaces: { from: All } }"),
      route("r", "", "backendRefs: [{ name: api, port: 9080 }]", "back"),
      ["Accepted,ResolvedRefs"],
    ],
    [
      "is of a kind it does not take",
      http(", allowedRoutes: { kinds: [{ kind: GRPCRoute }] }"),
      route("r", ""),
      ["NotAllowedByListeners,ResolvedRefs"],
    ],
    [
      "names a listener that is not there",
      http(),
      route("r", "").replace("namespace: front }]", "namespace: front, sectionName: https }]"),
      ["NoMatchingParent,ResolvedRefs"],
    ],
    ["is of a Gateway of someone else's class", http(), route("r", ""), []],
  ];
  for (const [name, listeners, text, expected] of cases) {
    it(`that ${name}: ${expected.join() || "no status"}`, () => {
      const yaml = gateway(listeners, name.includes("someone else") ? "nginx" : "istio") + text;
      const { reasons } = build(yaml);
      assert.deepEqual(
        reasons(`HTTPRoute/${text.includes("namespace: back }\nspec") ? "back" : "front"}/r`),
        expected,
      );
    });
  }

  it("that would be one too many for a host is refused by name, and those before it stay", () => {
    const matches = Array.from({ length: 60 }, (_, i) => `{ path: { value: /p${i} } }`).join(", ");
    const rules = `matches: [${matches}], backendRefs: [{ name: web, port: 9080 }]`;
    const many = Array.from({ length: 69 }, (_, i) => route(`r${String(i).padStart(2, "0")}`, "", rules));
    const { reasons, said } = build(gateway(http()) + many.join(""));
    assert.deepEqual(reasons("HTTPRoute/front/r67"), ["Accepted,ResolvedRefs"]);
    assert.deepEqual(reasons("HTTPRoute/front/r68"), ["UnsupportedValue,ResolvedRefs"]);
    assert.match(said, /W2120: Gateway front\/shop has 4096 matches for a host without this HTTPRoute/);
  });

  it("reaches a service of another namespace only where that lets it", () => {
    const yaml =
      gateway(http()) + route("r", "", "backendRefs: [{ name: api, namespace: back, port: 9080 }]");
    const refused = build(yaml);
    assert.deepEqual(refused.reasons("HTTPRoute/front/r"), ["Accepted,RefNotPermitted"]);
    assert.ok(!JSON.stringify(refused.hosts).includes(api));
    const grant = `apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: { name: g, namespace: back }\nspec: { from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: front }], to: [{ group: "", kind: Service }] }\n`;
    assert.deepEqual(build(yaml + grant).hosts, [["*", `/→${api}`]]);
  });
});

describe("a Gateway of the Gateway API", () => {
  it("is served by the gateway of its name and namespace", () => {
    const { listeners, gateways, given } = build(gateway(http()));
    assert.deepEqual(
      given.listener.map(({ name }) => name),
      ["0.0.0.0_80"],
    );
    assert.deepEqual(gateways.get("KubernetesGateway/front/shop")!.addresses, [
      { type: "IPAddress", value: "10.0.0.1" },
    ]);
    assert.equal(listeners[0]!.conditions.find(({ type }) => type === "Programmed")!.isTrue, true);
  });

  it("may have the name of Istio's Gateway, and both are served", () => {
    const istios = `apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: { name: shop, namespace: front }\nspec: { servers: [{ port: { number: 81, name: http, protocol: HTTP }, hosts: ["*"] }] }\n---\n`;
    const { given } = build(istios + gateway(http()));
    assert.deepEqual(
      given.listener.map(({ name }) => name),
      ["0.0.0.0_80", "0.0.0.0_81"],
    );
  });

  it("serves none of its listeners that contend, and says of each why", () => {
    const tcp = "    - { name: tcp, port: 80, protocol: TCP }\n";
    const other = "    - { name: other, port: 81, protocol: HTTP }\n";
    const { listeners, given, gateways } = build(gateway(http() + tcp + other));
    const reasonOf = (i: number) =>
      listeners[i]!.conditions.find(({ type }) => type === "Conflicted")!.reason;
    assert.deepEqual([0, 1, 2].map(reasonOf), ["ProtocolConflict", "ProtocolConflict", "NoConflicts"]);
    assert.deepEqual(
      given.listener.map(({ name }) => name),
      ["0.0.0.0_81"],
    );
    const acceptance = (yaml: string) =>
      words(build(yaml).gateways.get("KubernetesGateway/front/shop")!.conditions)[0];
    assert.deepEqual(words(gateways.get("KubernetesGateway/front/shop")!.conditions).slice(0, 2), [
      "Accepted true ListenersNotValid",
      "Programmed true Programmed",
    ]);
    assert.equal(acceptance(gateway(http() + tcp)), "Accepted false ListenersNotValid");
  });

  const programmed = [
    "Accepted true Accepted",
    "Programmed true Programmed",
    "ResolvedRefs true ResolvedRefs",
  ];
  const assigned = (reason: string) => `AddressesAssigned ${reason === "AddressesAssigned"} ${reason}`;
  const asked: [name: string, addresses: string, conditions: string[], assigned: string[]][] = [
    ["of its proxy", "{ value: 10.0.0.1 }", [...programmed, assigned("AddressesAssigned")], ["10.0.0.1"]],
    ["of any value", "{ type: IPAddress }", [...programmed, assigned("AddressesAssigned")], ["10.0.0.1"]],
    [
      "that no proxy has",
      "{ value: 192.0.2.1 }",
      [programmed[0]!, "Programmed false AddressNotUsable", programmed[2]!, assigned("NotAssigned")],
      [],
    ],
    [
      "that no proxy has, beside one that it has",
      "{ value: 192.0.2.1 }, { value: 10.0.0.1 }",
      [programmed[0]!, "Programmed false AddressNotUsable", programmed[2]!, assigned("PartiallyAssigned")],
      ["10.0.0.1"],
    ],
    [
      "that is any host name",
      "{ type: Hostname }",
      [programmed[0]!, "Programmed false AddressNotAssigned", programmed[2]!, assigned("NotAssigned")],
      [],
    ],
  ];
  for (const [name, addresses, conditions, expected] of asked) {
    it(`that asks for an address ${name} says: ${conditions[1]}, ${conditions[3]}`, () => {
      const { gateways, given } = build(gateway(`${http()}  addresses: [${addresses}]\n`));
      const status = gateways.get("KubernetesGateway/front/shop")!;
      assert.deepEqual(words(status.conditions), conditions);
      assert.deepEqual(
        status.addresses!.map(({ value }) => value),
        expected,
      );
      assert.equal(given.listener.length, 1, "it serves all the same");
    });
  }

  const refused: [name: string, more: string, reason: string][] = [
    [
      "an address of a type that nobody here has",
      "addresses: [{ type: NamedAddress, value: a }, { value: 10.0.0.1 }]",
      "UnsupportedAddress",
    ],
    [
      "parameters that nobody here knows",
      "infrastructure: { parametersRef: { group: example.com, kind: Parameters, name: p } }",
      "InvalidParameters",
    ],
  ];
  for (const [name, more, reason] of refused) {
    it(`that asks for ${name} is not accepted, and not served`, () => {
      const { gateways, given, said } = build(gateway(`${http()}  ${more}\n`));
      const [accepted, programming] = words(gateways.get("KubernetesGateway/front/shop")!.conditions);
      assert.deepEqual([accepted, programming], [`Accepted false ${reason}`, "Programmed false Invalid"]);
      assert.deepEqual(given.listener, []);
      assert.match(said, /warning W2125: .*the Gateway is not served/);
    });
  }

  it("with a ConfigMap as parameters, as Istio has them, is served", () => {
    const more = 'infrastructure: { parametersRef: { group: "", kind: ConfigMap, name: p } }';
    assert.equal(build(gateway(`${http()}  ${more}\n`)).given.listener.length, 1);
  });

  it("may name the gateway by its service, wherever that is", () => {
    const named = (address: string) => gateway(`${http()}  addresses: [${address}]\n`);
    const workloads = [{ ...proxy, service: "lb", namespace: "other", labels: {}, ports: [{ port: 80 }] }];
    const { mesh } = fixture({ workloads }, named("{ type: Hostname, value: lb.other.svc.cluster.local }"));
    assert.deepEqual(
      mesh.workloads.get("edge.other")!.gateway!.listeners.map(({ port }) => port),
      [80],
    );
  });

  const ca = new TestCa();
  const { chainPem, keyPem } = ca.leaf(undefined, undefined, { dnsNames: ["shop.example.com"] });
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const secret = `apiVersion: v1\nkind: Secret\nmetadata: { name: shop, namespace: vault }\ntype: kubernetes.io/tls\ndata: { tls.crt: ${base64(chainPem)}, tls.key: ${base64(keyPem)} }\n---\n`;
  const https = gateway(
    "    - { name: https, port: 443, protocol: HTTPS, tls: { certificateRefs: [{ name: shop, namespace: vault }] } }\n",
  );

  it("has a certificate of another namespace only where that lets it", () => {
    const refused = build(https + secret);
    assert.deepEqual(refused.given.secret, []);
    assert.equal(
      refused.listeners[0]!.conditions.find(({ type }) => type === "ResolvedRefs")!.reason,
      "RefNotPermitted",
    );
    const grant = `apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: { name: g, namespace: vault }\nspec: { from: [{ group: gateway.networking.k8s.io, kind: Gateway, namespace: front }], to: [{ group: "", kind: Secret, name: shop }] }\n`;
    const { given } = build(https + secret + grant);
    assert.deepEqual(
      given.secret.map(({ name }) => name),
      ["kubernetes-gateway://vault/shop"],
    );
  });

  const wrong: [name: string, listeners: string, expected: RegExp][] = [
    [
      "two listeners of one name",
      http() + http(", hostname: a.example.com"),
      /W1106: spec.listeners has http twice/,
    ],
    [
      "two listeners of one place",
      http() + http().replace("name: http", "name: other"),
      /W1210: .*has the port, protocol and hostname/,
    ],
    [
      "HTTPS without a certificate",
      "    - { name: s, port: 443, protocol: HTTPS, tls: {} }\n",
      /W1104: .*certificateRefs is missing/,
    ],
    [
      "HTTPS that is not ended",
      "    - { name: s, port: 443, protocol: HTTPS, tls: { mode: Passthrough } }\n",
      /W1106: HTTPS is ended/,
    ],
    ["UDP", "    - { name: u, port: 53, protocol: UDP }\n", /W1302: .*UDP is not carried/],
    [
      "a selector without the values that it needs",
      http(
        ", allowedRoutes: { namespaces: { from: Selector, selector: { matchExpressions: [{ key: a, operator: In }] } } }",
      ),
      /W1104: .*matchExpressions\[0\]: In needs values/,
    ],
    [
      "a selector that Kubernetes does not know",
      http(
        ", allowedRoutes: { namespaces: { from: Selector, selector: { matchExpressions: [{ key: a, operator: Gt, values: [b] }] } } }",
      ),
      /W1103: .*operator: unknown value Gt/,
    ],
  ];
  for (const [name, listeners, expected] of wrong) {
    it(`is refused for ${name}`, () => {
      const { diagnostics } = parseConfig([{ name: "g.yaml", text: gateway(listeners) }]);
      assert.match(diagnostics.map(formatDiagnostic).join("\n"), expected);
    });
  }
});
