import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeHostNames, HostNames } from "@weft/xds/host-names";
import { HeaderList } from "../layer/header-list.ts";
import type { RequestHead } from "../layer/message.ts";
import { OnDemandRouteTable } from "./on-demand-route-table.ts";
import type { VirtualHostSpec } from "./route-table.ts";

const request = (authority: string): RequestHead => {
  const headers = new HeaderList([]);
  return { method: "GET", path: "/", authority, scheme: "http", headers, upgrade: "" };
};

function host(name: string, domains: readonly string[]): VirtualHostSpec {
  const action = { kind: "direct-response", status: 200, body: undefined } as const;
  const edits = { requestEdits: undefined, responseEdits: undefined };
  return {
    plan: { name },
    domains,
    routes: [
      {
        path: { kind: "prefix", text: "/", caseSensitive: true },
        conditions: [],
        fraction: 1,
        plan: { name, action, ...edits, filterConfigs: undefined, origin: undefined },
      },
    ],
    tlsRedirect: undefined,
  };
}

const reviews = host("reviews", ["reviews", "reviews:80", "240.240.0.1", "240.240.0.1:80"]);

function table(names: HostNames | undefined, ...hosts: readonly VirtualHostSpec[]): OnDemandRouteTable {
  const spec = { name: "80", virtualHosts: hosts, ignorePortInHost: false };
  const discover = () => ({ cancel() {} });
  return new OnDemandRouteTable(spec, { source: "ads", discover, names }, () => assert.fail("a duplicate"));
}

/** Which virtual host has it, and what it waits for. */
function of(routes: OnDemandRouteTable, authority: string): readonly (string | undefined)[] {
  const head = request(authority);
  const { virtualHost } = routes.match(head, 0) ?? {};
  assert.equal(routes.trace(head, 0).virtualHost?.name, virtualHost?.name);
  return [virtualHost?.name, routes.onDemand.wantedFor(head)];
}

const names = () =>
  new HostNames(encodeHostNames(80, [{ name: "reviews.default", domains: ["reviews", "240.240.0.1"] }]));

test("without names a host that no domain has is waited for, under its own name", () => {
  const routes = table(undefined, host("wild", ["*.example"]));
  assert.deepEqual(of(routes, "Reviews:80"), [undefined, "80/reviews:80"]);
  assert.deepEqual(of(routes, "a.example"), ["wild", undefined]);
  routes.set("80/reviews", reviews);
  assert.deepEqual(of(routes, "Reviews:80"), ["reviews", undefined]);
});

test("with names those are waited for, whatever wildcard has them, and nothing else", () => {
  const routes = table(names(), host("rest", ["*"]));
  for (const authority of ["reviews", "REVIEWS:80", "240.240.0.1", "240.240.0.1:80"]) {
    assert.deepEqual(of(routes, authority), [undefined, "80/reviews.default"], authority);
  }
  for (const authority of ["reviews:81", "example.com", "240.240.0.2"]) {
    assert.deepEqual(of(routes, authority), ["rest", undefined], authority);
  }
  routes.set("80/reviews.default", reviews);
  assert.deepEqual(of(routes, "reviews"), ["reviews", undefined]);
  assert.deepEqual(of(routes, "240.240.0.1:80"), ["reviews", undefined]);
});

test("one that is named but not there is the wildcard's, until it comes, also in the next version", () => {
  const routes = table(names(), host("rest", ["*"]));
  routes.remove("80/reviews.default");
  assert.deepEqual(of(routes, "reviews"), ["rest", undefined]);
  const next = table(names(), host("rest", ["*"]));
  next.inherit(routes);
  assert.deepEqual(of(next, "reviews"), ["rest", undefined]);
  next.set("80/reviews.default", reviews);
  assert.deepEqual(of(next, "reviews"), ["reviews", undefined]);
});

test("another version takes the place of the one before, with all its domains", () => {
  const routes = table(undefined);
  routes.set("80/a", host("old", ["a", "b", "*.a", "a.*"]));
  routes.set("80/a", host("new", ["a", "c", "*.c"]));
  assert.deepEqual(of(routes, "a"), ["new", undefined]);
  assert.deepEqual(of(routes, "x.c"), ["new", undefined]);
  for (const gone of ["b", "x.a", "a.x"]) assert.equal(of(routes, gone)[0], undefined, gone);
  routes.remove("80/a");
  for (const gone of ["a", "c", "x.c"]) assert.equal(of(routes, gone)[0], undefined, gone);
});

test("domains may be exchanged between those that change together", () => {
  const routes = table(undefined);
  routes.set("80/a", host("a", ["a", "x"]));
  routes.set("80/b", host("b", ["b", "y"]));
  for (const resource of ["80/a", "80/b", "80/c"]) routes.lift(resource);
  routes.set("80/a", host("a", ["a", "y"]));
  for (const resource of ["80/a", "80/b", "80/c"]) routes.lower(resource);
  assert.deepEqual(
    ["a", "b", "x", "y"].map((authority) => of(routes, authority)[0]),
    ["a", "b", undefined, "a"],
    "what was not replaced is back, but for what another has now",
  );
  routes.remove("80/b");
  assert.deepEqual([of(routes, "b")[0], of(routes, "y")[0]], [undefined, "a"]);
});

test("a domain of another is refused, and both stay as they were", () => {
  const routes = table(undefined, host("fixed", ["fixed"]));
  routes.set("80/a", host("a", ["a"]));
  assert.throws(() => routes.set("80/b", host("b", ["b", "fixed"])), /domain 'fixed' is already claimed/);
  assert.throws(() => routes.set("80/a", host("a2", ["c", "fixed"])), /domain 'fixed' is already claimed/);
  assert.deepEqual(
    ["a", "b", "c", "fixed"].map((authority) => of(routes, authority)[0]),
    ["a", undefined, undefined, "fixed"],
  );
});
