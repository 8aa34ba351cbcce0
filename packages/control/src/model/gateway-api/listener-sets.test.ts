import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RouteConfiguration } from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import { builtGateways, grant, tlsSecret } from "./test-gateways.ts";

const gateway = (
  more: string,
  listeners = "{ name: own, port: 80, protocol: HTTP, hostname: own.example.com }",
) =>
  `apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: { name: shop, namespace: front }\nspec: { gatewayClassName: weft, listeners: [${listeners}]${more} }\n`;
const from = (what: string, more = "") => `, allowedListeners: { namespaces: { from: ${what}${more} } }`;
const http = (name: string, more = "") =>
  `{ name: ${name}, port: 80, protocol: HTTP, hostname: ${name}.example.com${more} }`;
const tcp = (name: string) => `{ name: ${name}, port: 80, protocol: TCP }`;

function set(
  name: string,
  listeners: string,
  namespace = "front",
  createdAt = "2026-01-01T00:00:00Z",
): string {
  return `---\napiVersion: gateway.networking.k8s.io/v1\nkind: ListenerSet\nmetadata: { name: ${name}, namespace: ${namespace}, creationTimestamp: "${createdAt}" }\nspec: { parentRef: { name: shop, namespace: front }, listeners: [${listeners}] }\n`;
}

function route(name: string, parent: string, namespace = "front"): string {
  return `---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: { parentRefs: [{ ${parent} }], rules: [{ backendRefs: [{ name: web, namespace: front, port: 9080 }] }] }\n`;
}

const namespace = (name: string, labels: string) =>
  `---\napiVersion: v1\nkind: Namespace\nmetadata: { name: ${name}, labels: { ${labels} } }\nspec: { finalizers: [kubernetes] }\n`;

const key = "KubernetesGateway/front/shop";
const setKey = (name: string, of = "front") => `ListenerSet/${of}/${name}`;
const good = ["Accepted true Accepted", "Programmed true Programmed"];
const refused = ["Accepted false NotAllowed", "Programmed false NotAllowed"];
const invalid = ["Accepted false ListenersNotValid", "Programmed false ListenersNotValid"];

function hostsOf({ given }: ReturnType<typeof builtGateways>): string[] {
  return given.route.flatMap(({ message }) =>
    (message as RouteConfiguration).virtualHosts.flatMap(({ domains }) => domains),
  );
}

describe("a ListenerSet", () => {
  const selector = (text: string) => from("Selector", `, selector: ${text}`);
  const label = selector("{ matchLabels: { team: a } }");
  const cases: [name: string, allowed: string, of: string, labels: string, isTaken: boolean][] = [
    ["where nothing is said of them", "", "front", "", false],
    ["where none is taken", from("None"), "front", "", false],
    ["of the Gateway's namespace, where such are taken", from("Same"), "front", "", true],
    ["of another one, where those of the Gateway's are taken", from("Same"), "back", "", false],
    ["of any namespace, where all are taken", from("All"), "back", "", true],
    ["of a namespace with the label", label, "back", "team: a", true],
    ["of a namespace with another value of it", label, "back", "team: b", false],
    ["of a namespace that nobody has written", label, "back", "", false],
    [
      "of a namespace by its name, which every one has as a label",
      selector("{ matchLabels: { kubernetes.io/metadata.name: back } }"),
      "back",
      "",
      true,
    ],
    [
      "of a namespace whose labels cannot take its name away",
      selector("{ matchLabels: { kubernetes.io/metadata.name: other } }"),
      "back",
      "kubernetes.io/metadata.name: other",
      false,
    ],
    [
      "by expressions that all hold",
      selector(
        "{ matchExpressions: [{ key: team, operator: In, values: [a, b] }, { key: tier, operator: Exists }, { key: old, operator: DoesNotExist }, { key: zone, operator: NotIn, values: [x] }] }",
      ),
      "back",
      "team: b, tier: web",
      true,
    ],
    [
      "by expressions of which one does not hold",
      selector("{ matchExpressions: [{ key: team, operator: NotIn, values: [b] }] }"),
      "back",
      "team: b",
      false,
    ],
    ["by an empty selector, which is for all", selector("{}"), "back", "", true],
    ["by a selector that is missing, which is for none", from("Selector"), "back", "", false],
  ];
  for (const [name, allowed, of, labels, isTaken] of cases) {
    it(`${name} is ${isTaken ? "taken" : "not taken"}`, () => {
      const yaml = gateway(allowed) + set("more", http("more"), of) + (labels && namespace(of, labels));
      const built = builtGateways(yaml);
      assert.deepEqual(built.conditions(setKey("more", of)), isTaken ? good : refused);
      assert.equal(built.statusOf(key)!.attachedListenerSets, isTaken ? 1 : 0);
      const servers = built.role.listeners.flatMap((listener) => listener.servers);
      assert.equal(servers.length, isTaken ? 2 : 1);
    });
  }

  it("has the routes that name it, by listener or all, and the Gateway has none of them", () => {
    const yaml =
      gateway(from("Same")) +
      set("more", `${http("a")}, ${http("b")}`) +
      route("all", "kind: ListenerSet, name: more") +
      route("one", "kind: ListenerSet, name: more, sectionName: a") +
      route("own", "name: shop");
    const built = builtGateways(yaml);
    assert.deepEqual(hostsOf(built), ["a.example.com", "b.example.com", "own.example.com"]);
    assert.deepEqual(
      built.statusOf(setKey("more"))!.listeners.map(({ attachedRoutes }) => attachedRoutes),
      [2, 1],
    );
    assert.equal(built.statusOf(key)!.listeners[0]!.attachedRoutes, 1);
    assert.deepEqual(built.reasons("HTTPRoute/front/all"), ["Accepted,ResolvedRefs"]);
  });

  const lost: [name: string, route: string, reasons: string[]][] = [
    [
      "to a listener of a set by way of the Gateway",
      route("r", "name: shop, sectionName: a"),
      ["NoMatchingParent,ResolvedRefs"],
    ],
    [
      "to a listener of the Gateway by way of a set",
      route("r", "kind: ListenerSet, name: more, sectionName: own"),
      ["NoMatchingParent,ResolvedRefs"],
    ],
    [
      "to a set that is not taken",
      route("r", "kind: ListenerSet, name: stray, namespace: back"),
      ["NoMatchingParent,ResolvedRefs"],
    ],
    ["to a set that nobody knows", route("r", "kind: ListenerSet, name: nobody"), []],
    [
      "of another namespace to a set, whose listeners take those of its own",
      route("r", "kind: ListenerSet, name: more, namespace: front", "back"),
      ["NotAllowedByListeners,RefNotPermitted"],
    ],
  ];
  for (const [name, text, reasons] of lost) {
    it(`takes no route ${name}`, () => {
      const yaml = gateway(from("Same")) + set("more", http("a")) + set("stray", http("s"), "back") + text;
      const of = text.includes("namespace: back }\nspec") ? "back" : "front";
      assert.deepEqual(builtGateways(yaml).reasons(`HTTPRoute/${of}/r`), reasons);
    });
  }

  it("that contends with its Gateway or an older set loses the listener, and all where it has no other", () => {
    const yaml =
      gateway(from("Same"), `${http("gateway")}, ${http("held")}`) +
      set("one", `${http("one")}, ${tcp("tcp")}, ${http("older")}`, "front", "2026-01-02T00:00:00Z") +
      set("two", tcp("tcp"), "front", "2026-01-03T00:00:00Z") +
      set(
        "three",
        `${http("three")}, ${http("x").replace("x.example", "older.example")}`,
        "front",
        "2026-01-04T00:00:00Z",
      ) +
      set("four", http("held"), "front", "2026-01-05T00:00:00Z");
    const { conditions, listeners, statusOf, said } = builtGateways(yaml);
    const conflicted = (reason: string) => [
      `Accepted false ${reason}`,
      "ResolvedRefs true ResolvedRefs",
      `Conflicted true ${reason}`,
      `Programmed false ${reason}`,
    ];
    assert.deepEqual(conditions(key).slice(0, 2), good);
    assert.equal(statusOf(key)!.attachedListenerSets, 2);
    assert.deepEqual(conditions(setKey("one")), ["Accepted true ListenersNotValid", good[1]]);
    assert.deepEqual(listeners(setKey("one")).tcp, conflicted("ProtocolConflict"));
    assert.equal(listeners(setKey("one")).older![3], "Programmed true Programmed");
    assert.deepEqual(conditions(setKey("two")), invalid);
    assert.deepEqual(conditions(setKey("three"))[0], "Accepted true ListenersNotValid");
    assert.deepEqual(listeners(setKey("three")).x, conflicted("HostnameConflict"));
    assert.deepEqual(conditions(setKey("four")), invalid);
    assert.match(said, /IST0145: listener held contends for port 80 \(HostnameConflict\)/);
  });

  it("may have listeners of the names that others have", () => {
    const named = (host: string) => http("web").replace("web.example", `${host}.example`);
    const yaml =
      gateway(from("Same"), named("gateway")) +
      set("one", named("one")) +
      set("shop", named("two")) +
      route("g", "name: shop") +
      route("o", "kind: ListenerSet, name: one") +
      route("t", "kind: ListenerSet, name: shop");
    const built = builtGateways(yaml);
    assert.deepEqual(hostsOf(built), ["gateway.example.com", "one.example.com", "two.example.com"]);
  });

  it("has the Secrets of its own namespace, and not what its Gateway may have", () => {
    const https = (secret: string) =>
      `{ name: https, port: 443, protocol: HTTPS, tls: { certificateRefs: [{ ${secret} }] } }`;
    const allowed = gateway(from("All")) + tlsSecret("more", "back") + tlsSecret("site", "vault");
    const own = builtGateways(allowed + set("more", https("name: more"), "back"));
    assert.deepEqual(own.conditions(setKey("more", "back")), good);
    assert.deepEqual(
      own.given.secret.map(({ name }) => name),
      ["kubernetes-gateway://back/more"],
    );
    const others = allowed + set("more", https("name: site, namespace: vault"), "back");
    const gatewaysGrant = builtGateways(others + grant("Gateway front", "Secret vault"));
    assert.deepEqual(gatewaysGrant.conditions(setKey("more", "back")), invalid);
    assert.deepEqual(gatewaysGrant.listeners(setKey("more", "back")).https, [
      "Accepted false Invalid",
      "ResolvedRefs false RefNotPermitted",
      "Conflicted false NoConflicts",
      "Programmed false Invalid",
    ]);
    assert.deepEqual(gatewaysGrant.given.secret, []);
    const setsGrant = builtGateways(others + grant("ListenerSet back", "Secret vault"));
    assert.deepEqual(setsGrant.conditions(setKey("more", "back")), good);
  });

  it("of a Gateway that is someone else's, or of no Gateway, has no status and is told of", () => {
    const text = gateway(from("All")).replace("weft,", "nginx,") + set("more", http("more"));
    const { statusOf, said } = builtGateways(text);
    assert.equal(statusOf(setKey("more")), undefined);
    assert.match(said, /IST0101: Gateway front\/shop is none that Weft serves: the ListenerSet does nothing/);
  });
});
