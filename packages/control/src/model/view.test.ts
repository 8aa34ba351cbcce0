import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fixture } from "../translate/mesh-fixture.ts";
import type { RuleCaller } from "./destination-rules.ts";
import type { Mesh } from "./mesh.ts";
import { routingOf } from "./routing.ts";
import { selectionOf, viewOf } from "./view.ts";

const workloads = [
  { service: "api", namespace: "shop" },
  { service: "web", namespace: "web" },
];
const api = "api.shop.svc.cluster.local";

function service(exportTo: string): string {
  return `apiVersion: v1\nkind: Service\nmetadata: { name: api, namespace: shop, annotations: { networking.istio.io/exportTo: "${exportTo}" } }\nspec: { ports: [{ port: 9080, name: http }] }\n---\n`;
}

/** A rule of a namespace that is told by its number of attempts at most. */
function rule(
  namespace: string,
  maxRetries: number,
  exportTo?: string,
  host = api,
  selects?: Readonly<Record<string, string>>,
): string {
  const selector = selects ? `, workloadSelector: { matchLabels: ${JSON.stringify(selects)} }` : "";
  const visibility = (exportTo ? `, exportTo: [${exportTo}]` : "") + selector;
  return `apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: r${maxRetries}, namespace: ${namespace} }\nspec: { host: "${host}"${visibility}, trafficPolicy: { connectionPool: { http: { maxRetries: ${maxRetries} } } } }\n---\n`;
}

function routes(namespace: string, name: string, exportTo?: string, host = api): string {
  const visibility = exportTo ? `, exportTo: [${exportTo}]` : "";
  return `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: { hosts: ["${host}"]${visibility}, http: [{ route: [{ destination: { host: ${api} } }] }] }\n---\n`;
}

function entry(namespace: string, address: string, exportTo: string): string {
  return `apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: { name: ext, namespace: ${namespace} }\nspec: { hosts: [ext.example], exportTo: ["${exportTo}"], resolution: STATIC, ports: [{ number: 80, name: http, protocol: HTTP }], endpoints: [{ address: ${address} }] }\n---\n`;
}

describe("who sees a service", () => {
  const cases: [exportTo: string, ...namespaces: string[]][] = [
    ["*", "shop", "web", "other"],
    [".", "shop"],
    ["~"],
    ["web", "web"],
    [".,web", "shop", "web"],
  ];
  for (const [exportTo, ...expected] of cases) {
    it(`exported to "${exportTo}": ${expected.join(", ") || "nobody"}`, () => {
      const { mesh } = fixture({ workloads }, service(exportTo));
      const seen = ["shop", "web", "other"].filter((namespace) =>
        viewOf(mesh, { namespace }).services.has(api),
      );
      assert.deepEqual(seen, expected);
    });
  }

  it("of one host in two namespaces each sees its own, with its own endpoints, and others none", () => {
    const { mesh, findings } = fixture(
      { workloads },
      entry("shop", "192.0.2.1", ".") + entry("web", "192.0.2.2", "."),
    );
    assert.deepEqual(findings, []);
    const addresses = (namespace: string) =>
      viewOf(mesh, { namespace })
        .endpoints.get("ext.example")
        ?.map(({ address }) => address);
    assert.deepEqual(["shop", "web"].map(addresses), [["192.0.2.1"], ["192.0.2.2"]]);
    assert.equal(viewOf(mesh, { namespace: "other" }).services.has("ext.example"), false);
  });

  it("two of one host for everyone contend, and the first stays", () => {
    const { mesh, findings } = fixture(
      { workloads },
      entry("shop", "192.0.2.1", "*") + entry("web", "192.0.2.2", "*"),
    );
    assert.match(findings.join(), /W2108: host ext.example is already a service/);
    assert.equal(viewOf(mesh, { namespace: "web" }).services.get("ext.example")!.namespace, "shop");
  });
});

describe("which DestinationRule is for a call", () => {
  const retriesOf = (mesh: Mesh, namespace: string) =>
    viewOf(mesh, { namespace }).services.get(api)?.policy?.connectionPool?.maxRetries;
  const namespaces = ["shop", "web", "istio-system", "other"];
  const cases: [name: string, yaml: string, ...expected: (number | undefined)[]][] = [
    ["the service's own, for all", rule("shop", 1), 1, 1, 1, 1],
    ["the caller's before the service's", rule("shop", 1) + rule("web", 2), 1, 2, 1, 1],
    ["the root namespace's where there is no other", rule("istio-system", 3), 3, 3, 3, 3],
    ["the service's before the root namespace's", rule("istio-system", 3) + rule("shop", 1), 1, 1, 1, 1],
    ["a stranger's for nobody else", rule("other", 4), undefined, undefined, undefined, 4],
    ["one that is not exported", rule("shop", 1, '"."'), 1, undefined, undefined, undefined],
    ["one exported to some", rule("shop", 1, "web"), undefined, 1, undefined, undefined],
    [
      "one exported by name before one for all of the same namespace",
      rule("shop", 1) + rule("shop", 2, "web"),
      1,
      2,
      1,
      1,
    ],
    [
      "the root namespace's private one for itself",
      rule("shop", 1) + rule("istio-system", 3, '"."'),
      1,
      1,
      3,
      1,
    ],
    [
      "the most specific host",
      rule("web", 5, undefined, "*.svc.cluster.local") +
        rule("web", 6, undefined, "*.shop.svc.cluster.local"),
      undefined,
      6,
      undefined,
      undefined,
    ],
    [
      "the caller's wildcard before the service's exact one",
      rule("shop", 1) + rule("web", 5, undefined, "*.local"),
      1,
      5,
      1,
      1,
    ],
  ];
  for (const [name, yaml, ...expected] of cases) {
    it(name, () => {
      const { mesh, findings } = fixture({ workloads }, yaml);
      assert.deepEqual(findings, []);
      assert.deepEqual(
        namespaces.map((namespace) => retriesOf(mesh, namespace)),
        expected,
      );
    });
  }

  const selecting = (namespace: string, maxRetries: number, selects: Readonly<Record<string, string>>) =>
    rule(namespace, maxRetries, undefined, api, selects);
  const selections: [name: string, yaml: string, ...expected: (number | undefined)[]][] = [
    ["one that selects", selecting("web", 2, { app: "web", tier: "front" }), 2, undefined, undefined],
    [
      "one that selects before one for all",
      selecting("web", 2, { app: "web" }) + rule("web", 1),
      2,
      1,
      undefined,
    ],
    ["the service's where none selects", selecting("web", 2, { app: "no" }) + rule("shop", 3), 3, 3, 3],
    ["one without labels selects all of its namespace", selecting("web", 2, {}), 2, 2, undefined],
    [
      "one that selects is for nobody of another namespace",
      selecting("shop", 2, { app: "web" }),
      undefined,
      undefined,
      undefined,
    ],
    [
      "of two that select the first by name",
      selecting("web", 5, { app: "web" }) + selecting("web", 4, { tier: "front" }),
      4,
      undefined,
      undefined,
    ],
  ];
  for (const [name, yaml, ...expected] of selections) {
    it(`by workloadSelector: ${name}`, () => {
      const { mesh, findings } = fixture({ workloads }, yaml);
      assert.deepEqual(findings, []);
      const callers: readonly RuleCaller[] = [
        { namespace: "web", labels: { app: "web", tier: "front" } },
        { namespace: "web", labels: { app: "other" } },
        { namespace: "far", labels: { app: "web", tier: "front" } },
      ];
      const found = callers.map(
        (caller) => viewOf(mesh, caller).services.get(api)?.policy?.connectionPool?.maxRetries,
      );
      assert.deepEqual(found, expected);
      const selected = callers.map((caller) => selectionOf(mesh, caller));
      for (const [i, a] of found.entries()) {
        for (const [j, b] of found.entries()) {
          if (callers[i]!.namespace !== callers[j]!.namespace || a === b) continue;
          assert.notEqual(selected[i], selected[j], "what they see differs, so must what tells them apart");
        }
      }
    });
  }

  it("two of a namespace that select alike contend", () => {
    const { findings } = fixture(
      { workloads },
      selecting("web", 1, { app: "a" }) + selecting("web", 2, { app: "a" }),
    );
    assert.match(findings.join(), /W2107: two DestinationRules are for api.shop.svc.cluster.local/);
  });

  it("two of a namespace for the same callers contend", () => {
    const { findings } = fixture({ workloads }, rule("shop", 1, "web") + rule("shop", 2, "web, other"));
    assert.match(findings.join(), /W2107: two DestinationRules are for api.shop.svc.cluster.local/);
  });

  it("keeps a client's endpoint whichever rule applies", () => {
    const sticky = `apiVersion: v1\nkind: Service\nmetadata: { name: api, namespace: shop }\nspec: { sessionAffinity: ClientIP, ports: [{ port: 9080, name: http }] }\n---\n`;
    const { mesh } = fixture({ workloads }, sticky + rule("web", 2));
    const policy = viewOf(mesh, { namespace: "web" }).services.get(api)!.policy!;
    assert.equal(policy.balancer?.kind, "consistent-hash");
    assert.equal(policy.connectionPool?.maxRetries, 2);
  });
});

describe("a service's host that another namespace routes as well", () => {
  it("stays with the service's own namespace, whichever name comes first", () => {
    const { mesh, findings } = fixture({ workloads }, routes("another", "a") + routes("shop", "z"));
    assert.match(findings.join(), /IST0109: VirtualServices "z" and "a" both route api\.shop/);
    assert.equal(routingOf(mesh.routing, api)!.namespace, "shop");
  });
});

describe("which VirtualService routes a host", () => {
  const nameOf = (mesh: Mesh, namespace: string) => routingOf(viewOf(mesh, { namespace }).routing, api)?.name;
  const cases: [name: string, yaml: string, ...expected: (string | undefined)[]][] = [
    ["one for all", routes("shop", "all"), "all", "all", "all"],
    ["one that is not exported", routes("shop", "own", '"."'), "own", undefined, undefined],
    [
      "the caller's own before one for all",
      routes("shop", "all") + routes("web", "own", '"."'),
      "all",
      "own",
      "all",
    ],
    [
      "the caller's own before one exported to it",
      routes("shop", "given", "web, other") + routes("web", "own", '"."'),
      undefined,
      "own",
      "given",
    ],
    ["one exported to nobody", routes("shop", "none", '"~"'), undefined, undefined, undefined],
    [
      "one for the host before one for a wildcard, if it is seen",
      routes("shop", "own", '"."') + routes("shop", "wide", undefined, "*.shop.svc.cluster.local"),
      "own",
      "wide",
      "wide",
    ],
  ];
  for (const [name, yaml, ...expected] of cases) {
    it(name, () => {
      const { mesh, findings } = fixture({ workloads }, yaml);
      assert.deepEqual(findings, []);
      assert.deepEqual(
        ["shop", "web", "other"].map((namespace) => nameOf(mesh, namespace)),
        expected,
      );
    });
  }

  it("two for the same callers contend", () => {
    const { findings } = fixture({ workloads }, routes("shop", "a", "web") + routes("other", "b", "web"));
    assert.match(
      findings.join(),
      /IST0109: VirtualServices "b" and "a" both route|IST0109: VirtualServices "a" and "b" both route/,
    );
  });

  it("leads to a service that its namespace does not see only with a warning", () => {
    const { findings } = fixture({ workloads }, service(".") + routes("web", "a"));
    assert.match(findings.join(), /W2115: host api.shop.svc.cluster.local is not exported to namespace web/);
  });
});

it("a mesh of which everyone sees the same is its own view", () => {
  const { mesh } = fixture({ workloads }, rule("shop", 1) + routes("shop", "all") + service("*"));
  assert.equal(viewOf(mesh, { namespace: "web" }), mesh);
});
