import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RouteConfiguration } from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import { builtGateways } from "./test-gateways.ts";

const listener = (name: string, hostname: string, port = 80) =>
  `{ name: ${name}, port: ${port}, protocol: HTTP${hostname && `, hostname: "${hostname}"`}, allowedRoutes: { namespaces: { from: All } } }`;
const gateway = (...listeners: string[]) =>
  `apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: { name: shop, namespace: front }\nspec: { gatewayClassName: weft, allowedListeners: { namespaces: { from: All } }, listeners: [${listeners.join(", ")}] }\n---\n`;
const set = (...listeners: string[]) =>
  `apiVersion: gateway.networking.k8s.io/v1\nkind: ListenerSet\nmetadata: { name: team, namespace: back }\nspec: { parentRef: { name: shop, namespace: front }, listeners: [${listeners.join(", ")}] }\n---\n`;
const route = (name: string, parent: string, more = "") =>
  `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: ${name}, namespace: front }\nspec: { parentRefs: [{ ${parent} }]${more}, rules: [{ matches: [{ path: { value: /${name} } }], backendRefs: [{ name: web, port: 9080 }] }] }\n---\n`;

/** The paths that each virtual host has, by its domain. */
function paths(yaml: string): Readonly<Record<string, unknown[]>> {
  const { given } = builtGateways(yaml);
  return Object.fromEntries(
    given.route.flatMap(({ message }) =>
      (message as RouteConfiguration).virtualHosts.map(({ domains, routes }) => [
        domains.join(),
        routes.map(({ match }) => match!.pathSpecifier.value),
      ]),
    ),
  );
}

describe("a request to a Gateway", () => {
  it("is for the listener with the most specific hostname alone", () => {
    const yaml =
      gateway(listener("all", ""), listener("wide", "*.example.com"), listener("one", "a.example.com")) +
      route("all", "name: shop, sectionName: all") +
      route("wide", "name: shop, sectionName: wide") +
      route("named", "name: shop, sectionName: wide", ", hostnames: [a.example.com, b.example.com]") +
      route("one", "name: shop, sectionName: one");
    assert.deepEqual(paths(yaml), {
      "*": ["/all"],
      "*.example.com": ["/wide"],
      "a.example.com": ["/one"],
      "b.example.com": ["/named"],
    });
  });

  it("is answered by no route where that listener has none", () => {
    const yaml =
      gateway(listener("all", ""), listener("one", "a.example.com")) +
      route("all", "name: shop, sectionName: all", ", hostnames: [a.example.com, c.example.com]");
    assert.deepEqual(paths(yaml), { "*": [], "a.example.com": [], "c.example.com": ["/all"] });
  });

  it("is not a ListenerSet's because of a wider hostname there", () => {
    const yaml =
      gateway(listener("admin", "admin.example.com")) +
      set(listener("wide", "*.example.com")) +
      route("admin", "name: shop") +
      route("taken", "kind: ListenerSet, name: team, namespace: back", ", hostnames: [admin.example.com]");
    assert.deepEqual(paths(yaml), { "*.example.com": [], "admin.example.com": ["/admin"] });
  });
});
