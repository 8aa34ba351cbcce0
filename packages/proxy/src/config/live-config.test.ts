import assert from "node:assert/strict";
import { test } from "node:test";
import { fromJson, type JsonValue, toBinary } from "@bufbuild/protobuf";
import { FakeClock } from "@weft/testkit/fake-clock";
import { ClusterSchema } from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import { ClusterLoadAssignmentSchema } from "@weft/xds/gen/envoy/config/endpoint/v3/endpoint_pb";
import { ListenerSchema } from "@weft/xds/gen/envoy/config/listener/v3/listener_pb";
import { RouteConfigurationSchema } from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import { typeUrl } from "@weft/xds/type-url";
import type { ListenerPlan } from "../listener/listener-plan.ts";
import { extensionRegistry } from "./extension-registry.ts";
import type { IncomingResource } from "./held-resources.ts";
import { LiveConfig } from "./live-config.ts";
import { fakeFactories, testServices } from "./testing.ts";
import { TlsContexts } from "./tls-contexts.ts";
import { type ResourceHandler, XdsSession } from "./xds-session.ts";

const schemas = {
  cluster: ClusterSchema,
  endpoints: ClusterLoadAssignmentSchema,
  listener: ListenerSchema,
  routes: RouteConfigurationSchema,
};

function resource(kind: keyof typeof schemas, name: string, json: object): IncomingResource {
  const schema = schemas[kind];
  const message = fromJson(schema, json as JsonValue, { registry: extensionRegistry });
  return { name, version: "1", body: toBinary(schema, message as never) };
}

const cluster = (name: string, more: object = {}) =>
  resource("cluster", name, { name, type: "EDS", edsClusterConfig: { edsConfig: { ads: {} } }, ...more });

const endpoints = (name: string, port: number) =>
  resource("endpoints", name, {
    clusterName: name,
    endpoints: [
      {
        lbEndpoints: [{ endpoint: { address: { socketAddress: { address: "10.0.0.1", portValue: port } } } }],
      },
    ],
  });

const listener = (name: string, routes: string, statPrefix = "s") =>
  resource("listener", name, {
    name,
    address: { socketAddress: { address: "127.0.0.1", portValue: 0 } },
    filterChains: [
      {
        filters: [
          {
            name: "hcm",
            typedConfig: {
              "@type":
                "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
              statPrefix,
              rds: { routeConfigName: routes, configSource: { ads: {} } },
              httpFilters: [
                {
                  name: "router",
                  typedConfig: {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                  },
                },
              ],
            },
          },
        ],
      },
    ],
  });

const routes = (name: string, target: string) =>
  resource("routes", name, {
    name,
    virtualHosts: [
      { name: "v", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: target } }] },
    ],
  });

const ads = { source: "ads", fetchTimeoutMs: 15_000 };

/** A proxy whose data plane writes down what it is told, with a session to a server that the test plays. */
function proxy() {
  const log: string[] = [];
  const clock = new FakeClock();
  const subscriptions = new Map<string, string>();
  let listeners: readonly ListenerPlan[] = [];
  const handlers = new Map<string, ResourceHandler>();
  let session: XdsSession | undefined;
  const live = new LiveConfig({
    clock,
    dataPlane: {
      setCluster: (plan) => log.push(`cluster ${plan.name}`),
      removeCluster: (name) => log.push(`no cluster ${name}`),
      setEndpoints: (name, { localities }) =>
        log.push(`${name} has ${localities.flatMap((l) => l.endpoints).length} endpoints`),
      setListeners(plans) {
        listeners = plans;
        log.push(`listeners ${plans.map((plan) => plan.name).join(",")}`);
      },
    },
    factories: fakeFactories(),
    services: testServices(),
    tls: new TlsContexts(),
    runtime: new Map(),
    staticClusters: new Set(),
    hasAds: true,
    isAdsDelta: false,
    onChange: () => session?.update(),
  });
  session = new XdsSession({
    clock,
    live,
    cds: ads,
    lds: ads,
    isDataPlaneWarm: () => true,
    isReachable: () => true,
    open(source, _type, handle) {
      handlers.set(source, handle);
      return {
        subscribe: (type, names) => {
          const kind = type.slice(type.lastIndexOf(".") + 1);
          subscriptions.set(`${source} ${kind}`, names ? [...names].sort().join(",") : "*");
        },
        subscribeAlso: (type, names) => {
          const kind = type.slice(type.lastIndexOf(".") + 1);
          subscriptions.set(`${source} ${kind}`, ["*", ...[...names].sort()].join(","));
        },
        hold: () => {},
        close: () => {},
      };
    },
    onInitialized: () => log.push("initialized"),
  });
  session.update();
  const push = (type: string, updated: readonly IncomingResource[], removed: readonly string[] = []) =>
    handlers.get("ads")!(type, updated, removed);
  return {
    live,
    clock,
    subscriptions,
    push,
    listeners: () => listeners,
    /** What the data plane was told since the last call. */
    took: () => log.splice(0),
  };
}

test("clusters come first, listeners once they are warm, and everything by the names it is referred to", () => {
  const p = proxy();
  assert.deepEqual([...p.subscriptions], [["ads Cluster", "*"]]);

  assert.equal(p.push(typeUrl.cluster, [cluster("a")]), undefined);
  assert.equal(p.subscriptions.get("ads ClusterLoadAssignment"), "a");
  assert.equal(p.subscriptions.get("ads Listener"), undefined, "the cluster is not warm yet");
  assert.deepEqual(p.took(), []);

  assert.equal(p.push(typeUrl.endpoint, [endpoints("a", 80)]), undefined);
  assert.deepEqual(p.took(), ["cluster a", "a has 1 endpoints"]);
  assert.equal(p.subscriptions.get("ads Listener"), "*");

  p.push(typeUrl.listener, [listener("l", "r")]);
  assert.equal(p.subscriptions.get("ads RouteConfiguration"), "r");
  assert.deepEqual(p.took(), [], "the listener waits for its routes");

  p.push(typeUrl.route, [routes("r", "a")]);
  assert.deepEqual(p.took(), ["listeners l", "initialized"]);
});

function serving() {
  const p = proxy();
  p.push(typeUrl.cluster, [cluster("a")]);
  p.push(typeUrl.endpoint, [endpoints("a", 80)]);
  p.push(typeUrl.listener, [listener("l", "r")]);
  p.push(typeUrl.route, [routes("r", "a")]);
  p.took();
  return p;
}

test("a changed cluster keeps its old version until its endpoints are in", () => {
  const p = serving();
  p.push(typeUrl.cluster, [
    cluster("a", { edsClusterConfig: { edsConfig: { ads: {} }, serviceName: "a2" } }),
  ]);
  assert.deepEqual(p.took(), []);
  assert.equal(p.subscriptions.get("ads ClusterLoadAssignment"), "a,a2", "both are still needed");
  p.push(typeUrl.endpoint, [endpoints("a2", 81)]);
  assert.deepEqual(p.took(), ["cluster a", "a has 1 endpoints"]);
  assert.equal(p.subscriptions.get("ads ClusterLoadAssignment"), "a2");
});

test("a changed listener serves its old routes until the new ones are in", () => {
  const p = serving();
  const before = p.listeners()[0];
  p.push(typeUrl.listener, [listener("l", "r2")]);
  assert.equal(p.listeners()[0], before);
  assert.equal(p.subscriptions.get("ads RouteConfiguration"), "r,r2");
  p.push(typeUrl.route, [routes("r2", "a")]);
  assert.notEqual(p.listeners()[0], before);
  assert.equal(p.subscriptions.get("ads RouteConfiguration"), "r2");
});

test("a bad resource is named, the good ones take effect, and the last good version stays", () => {
  const p = serving();
  const before = p.listeners()[0];
  const bad = listener("l", "r", "");
  const error = p.push(typeUrl.listener, [bad, listener("m", "r")]);
  assert.equal(
    error,
    "listener 'l': filter_chains[0].filters[0].typed_config.stat_prefix: is empty (name the statistics of this listener)",
  );
  assert.deepEqual(p.took(), ["listeners l,m"]);
  assert.equal(p.listeners()[0], before);
});

test("a resource that does not parse is refused with its name", () => {
  const p = serving();
  const error = p.push(typeUrl.cluster, [{ name: "x", version: "1", body: Buffer.from([0xff, 0xff]) }]);
  assert.match(error ?? "", /^cluster 'x': not a envoy\.config\.cluster\.v3\.Cluster: /);
  assert.deepEqual(p.took(), []);
});

test("an unchanged resource changes nothing", () => {
  const p = serving();
  p.push(typeUrl.cluster, [cluster("a")]);
  p.push(typeUrl.listener, [listener("l", "r")]);
  assert.deepEqual(p.took(), []);
});

test("new routes take effect under a running listener", () => {
  const p = serving();
  const terminal = p.listeners()[0]!.chains[0]!.terminal;
  assert.ok(terminal.kind === "http");
  const before = terminal.routes.current;
  p.push(typeUrl.route, [routes("r", "b")]);
  assert.notEqual(terminal.routes.current, before);
  assert.deepEqual(p.took(), [], "no listener is touched");
});

test("removed listeners and clusters are taken down and what they needed is unsubscribed", () => {
  const p = serving();
  p.push(typeUrl.listener, [], ["l"]);
  assert.deepEqual(p.took(), ["listeners "]);
  assert.equal(p.subscriptions.get("ads RouteConfiguration"), "");
  p.push(typeUrl.cluster, [], ["a"]);
  assert.deepEqual(p.took(), ["no cluster a"]);
  assert.equal(p.subscriptions.get("ads ClusterLoadAssignment"), "");
});

test("what never comes is waited for only so long", async () => {
  const p = proxy();
  p.push(typeUrl.cluster, [cluster("a")]);
  await p.clock.advance(14_999);
  assert.deepEqual(p.took(), []);
  await p.clock.advance(1);
  assert.deepEqual(p.took(), ["cluster a", "a has 0 endpoints"]);
  assert.equal(p.subscriptions.get("ads Listener"), "*");
  await p.clock.advance(15_000);
  assert.deepEqual(p.took(), ["initialized"], "no listener came, and none is waited for any longer");
});

test("a field that is not implemented is refused, however deep", () => {
  const p = serving();
  const error = p.push(typeUrl.cluster, [
    cluster("b", { lrsServer: { self: {} }, commonLbConfig: { overrideHostStatus: {} } }),
  ]);
  assert.equal(
    error,
    [
      "cluster 'b': common_lb_config.override_host_status: `override_host_status` is not implemented by this proxy (remove it)",
      "lrs_server: `lrs_server` is not implemented by this proxy (remove it)",
    ].join("\n"),
  );
});

test("routes that are sent again unchanged stay the very same, with what their filters have counted", () => {
  const p = proxy();
  p.push(typeUrl.cluster, [cluster("a"), cluster("b")]);
  p.push(typeUrl.listener, [listener("l", "r")]);
  const current = () => [...p.live.routes.values()][0]?.holder.current;
  p.push(typeUrl.route, [{ ...routes("r", "a"), version: "1" }]);
  const first = current();
  assert.ok(first);
  p.push(typeUrl.route, [{ ...routes("r", "a"), version: "2" }]);
  assert.equal(current(), first);
  assert.equal([...p.live.routes.values()][0]?.version, "2");
  p.push(typeUrl.route, [routes("r", "b")]);
  assert.notEqual(current(), first);
});
