import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fixture } from "../translate/mesh-fixture.ts";
import { type SeenMesh, viewOf } from "./view.ts";

const workloads = [
  { service: "web", namespace: "shop" },
  { service: "cart", namespace: "shop" },
  { service: "api", namespace: "far", ports: [{ port: 9080 }, { port: 9081 }] },
  { service: "old", namespace: "far" },
];

function sidecar(name: string, namespace: string, spec: string): string {
  return `apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: ${spec}\n---\n`;
}

function virtualService(name: string, namespace: string, host: string, to: string, exportTo = "*"): string {
  return `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: { hosts: ["${host}"], exportTo: ["${exportTo}"], http: [{ route: [{ destination: { host: ${to} } }], mirrors: [{ destination: { host: old.far.svc.cluster.local } }] }] }\n---\n`;
}

function view(yaml: string, id = "web-v1.shop"): { view: SeenMesh; findings: readonly string[] } {
  const { mesh, findings } = fixture({ workloads }, yaml);
  return { view: viewOf(mesh, mesh.workloads.get(id)!), findings };
}

const short = (names: Iterable<string>) => [...names].map((name) => name.replace(".svc.cluster.local", ""));

describe("the hosts of an egress listener", () => {
  const all = ["api.far", "cart.shop", "old.far", "web.shop"];
  const cases: [hosts: string, ...callable: string[]][] = [
    ['"*/*"', ...all],
    ['"./*"', "cart.shop", "web.shop"],
    ['"~/*"'],
    ['"far/*"', "api.far", "old.far"],
    ['"./cart.shop.svc.cluster.local"', "cart.shop"],
    ['"*/*.far.svc.cluster.local"', "api.far", "old.far"],
    ['"./*.far.svc.cluster.local"'],
    ['"far/cart.shop.svc.cluster.local"'],
    ['"far/api.far.svc.cluster.local", "./*"', "api.far", "cart.shop", "web.shop"],
    ['"far/api.far.svc.cluster.local", "*/old.far.svc.cluster.local"', "api.far", "old.far"],
  ];
  for (const [hosts, ...callable] of cases) {
    it(`${hosts}: ${callable.join(", ") || "nothing"}`, () => {
      const { view: seen } = view(sidecar("s", "shop", `{ egress: [{ hosts: [${hosts}] }] }`));
      assert.deepEqual(short((seen.egress?.services ?? seen.services).keys()), callable);
      assert.deepEqual(short(seen.services.keys()), callable, "no cluster of anything else");
    });
  }

  it("bring no service that is not exported to the proxy's namespace", () => {
    const hidden = `apiVersion: v1\nkind: Service\nmetadata: { name: api, namespace: far, annotations: { networking.istio.io/exportTo: "." } }\nspec: { ports: [{ port: 9080 }] }\n---\n`;
    const { view: seen } = view(hidden + sidecar("s", "shop", '{ egress: [{ hosts: ["far/*"] }] }'));
    assert.deepEqual(short(seen.services.keys()), ["old.far"]);
  });

  it("tell one that names no service from one that does", () => {
    const { findings } = view(sidecar("s", "shop", '{ egress: [{ hosts: ["./cart"] }] }'));
    assert.deepEqual(findings, [
      'mesh.yaml:4:28: info W2104: no service cart is known yet (did you mean "cart.shop.svc.cluster.local"?)',
    ]);
  });
});

describe("routing within a Sidecar's scope", () => {
  const api = "api.far.svc.cluster.local";
  const cart = "cart.shop.svc.cluster.local";

  it("brings the services it leads to, mirrors among them, which cannot be called by name", () => {
    const yaml =
      virtualService("cart", "shop", cart, api) + sidecar("s", "shop", '{ egress: [{ hosts: ["./*"] }] }');
    const { view: seen } = view(yaml);
    assert.deepEqual(short(seen.services.keys()), ["api.far", "cart.shop", "old.far", "web.shop"]);
    assert.deepEqual(short(seen.egress!.services.keys()), ["cart.shop", "web.shop"]);
    assert.deepEqual([...seen.routing.keys()], [cart]);
  });

  it("is looked up by its own namespace, not by its service's", () => {
    const yaml = (hosts: string) =>
      virtualService("cart", "far", cart, api) + sidecar("s", "shop", `{ egress: [{ hosts: [${hosts}] }] }`);
    assert.deepEqual([...view(yaml('"./*"')).view.routing.keys()], []);
    assert.deepEqual([...view(yaml(`"./*", "far/${cart}"`)).view.routing.keys()], [cart]);
  });

  it("of a wildcard is meant by a host it covers", () => {
    const yaml = virtualService("all", "shop", "*.shop.svc.cluster.local", api);
    const { view: seen } = view(yaml + sidecar("s", "shop", `{ egress: [{ hosts: ["./${cart}"] }] }`));
    assert.deepEqual([...seen.routing.keys()], ["*.shop.svc.cluster.local"]);
  });
});

describe("listeners of a Sidecar", () => {
  it("with a port take it, and that one alone, from all others", () => {
    const spec = `{ egress: [{ port: { number: 9080, protocol: TCP, name: t }, hosts: ["far/*"] }, { hosts: ["*/*"] }] }`;
    const { view: seen } = view(sidecar("s", "shop", spec));
    const ports = seen.egress!.listeners.map(({ services }) =>
      [...services.values()].map(({ hostname, ports: own }) => [
        ...short([hostname]),
        ...own.map(({ number, protocol }) => `${number} ${protocol}`),
      ]),
    );
    assert.deepEqual(ports, [
      [
        ["api.far", "9080 tcp"],
        ["old.far", "9080 tcp"],
      ],
      [["api.far", "9081 http"]],
    ]);
    const own = seen.services.get("api.far.svc.cluster.local")!;
    assert.deepEqual(
      own.ports.map(({ number }) => number),
      [9080, 9081],
    );
    assert.deepEqual(
      short(seen.services.keys()),
      ["api.far", "old.far"],
      "no cluster of a port nobody listens for",
    );
  });
});

describe("which Sidecar is for a workload", () => {
  const scope = (yaml: string, id?: string) => {
    const { mesh, findings } = fixture({ workloads }, yaml);
    return { findings, scope: mesh.workloads.get(id ?? "web-v1.shop")!.scope };
  };
  const hosts = 'egress: [{ hosts: ["./*"] }]';
  const root = sidecar("default", "istio-system", `{ ${hosts} }`);
  const wide = sidecar("wide", "shop", `{ ${hosts} }`);
  const own = sidecar("own", "shop", `{ workloadSelector: { labels: { app: web } }, ${hosts} }`);
  const cases: [name: string, yaml: string, web: string | undefined, api: string | undefined][] = [
    ["none", "", undefined, undefined],
    ["the root namespace's for all", root, "istio-system/default", "istio-system/default"],
    ["the namespace's before it", root + wide, "shop/wide", "istio-system/default"],
    ["one that selects it before both", own + root + wide, "shop/own", "istio-system/default"],
    [
      "another's selector leaves the root's",
      sidecar("x", "far", `{ workloadSelector: { labels: { app: old } }, ${hosts} }`) + root,
      "istio-system/default",
      "istio-system/default",
    ],
    [
      "the root namespace's with a selector is for none elsewhere",
      sidecar("x", "istio-system", `{ workloadSelector: { labels: { app: web } }, ${hosts} }`),
      undefined,
      undefined,
    ],
    [
      "one that leaves what may be called as it is",
      sidecar("in", "shop", "{ ingress: [{ port: { number: 9080, protocol: HTTP } }] }") + root,
      undefined,
      "istio-system/default",
    ],
  ];
  for (const [name, yaml, web, api] of cases) {
    it(name, () => {
      assert.deepEqual(scope(yaml), { findings: [], scope: web });
      assert.equal(scope(yaml, "api-v1.far").scope, api);
    });
  }

  it("the root namespace's means each proxy's own namespace by a dot", () => {
    const keys = (id: string) => short(view(root, id).view.services.keys());
    assert.deepEqual(keys("web-v1.shop"), ["cart.shop", "web.shop"]);
    assert.deepEqual(keys("api-v1.far"), ["api.far", "old.far"]);
  });

  it("two for all of a namespace contend, and two that select one workload are named", () => {
    assert.match(
      scope(wide + wide.replace("wide", "other")).findings.join(),
      /IST0111: two Sidecars are for all of namespace shop: "other" applies/,
    );
    const again = own.replace("name: own", "name: also");
    const { findings, scope: chosen } = scope(own + again);
    assert.match(findings.join(), /IST0110: two Sidecars select web-v1.shop: "also" applies to it/);
    assert.equal(chosen, "shop/also");
  });
});

it("unknown hosts leave, or not, as a Sidecar says", () => {
  const policy = (spec: string) => view(sidecar("s", "shop", spec)).view.options.defaults;
  assert.equal(
    policy("{ outboundTrafficPolicy: { mode: REGISTRY_ONLY } }").outboundTrafficPolicy,
    "REGISTRY_ONLY",
  );
  assert.equal(policy('{ egress: [{ hosts: ["./*"] }] }').outboundTrafficPolicy, "ALLOW_ANY");
});
