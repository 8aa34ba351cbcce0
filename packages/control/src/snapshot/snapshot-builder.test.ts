import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { RouteConfigurationSchema } from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import { OnDemandHostsSchema } from "@weft/xds/gen/weft/route/v1/on_demand_hosts_pb";
import { HostNames, onDemandHostsKey } from "@weft/xds/host-names";
import { isGiven, type Snapshot } from "@weft/xds/snapshot";
import { typeUrl } from "@weft/xds/type-url";
import { buildMesh } from "../model/build-mesh.ts";
import {
  type ClientFeatures,
  learningSidecarFeatures,
  noFeatures,
  sidecarFeatures,
} from "../translate/client-features.ts";
import { fixture, workload } from "../translate/mesh-fixture.ts";
import { SnapshotBuilder } from "./snapshot-builder.ts";

const scenario = {
  workloads: [{ service: "web" }, { service: "api", version: "v1" }, { service: "api", version: "v2" }],
};
const rule =
  "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: api }\nspec: { host: api, trafficPolicy: { loadBalancer: { simple: RANDOM } } }\n";

function changed(before: Snapshot, after: Snapshot): string[] {
  const names: string[] = [];
  for (const [type, resources] of after.byType) {
    for (const [name, resource] of resources) {
      if (before.byType.get(type)?.get(name) !== resource) names.push(name);
    }
  }
  return names;
}

describe("snapshots", () => {
  it("of an equal mesh hold the very same resources and maps", () => {
    const builder = new SnapshotBuilder();
    const first = builder.build(fixture(scenario).mesh, { id: "web-v1.default" });
    const second = builder.build(fixture(scenario).mesh, { id: "web-v1.default" });
    assert.deepEqual(changed(first, second), []);
    for (const [type, map] of second.byType) assert.equal(map, first.byType.get(type));
  });

  it("change in their endpoints alone when an endpoint comes", () => {
    const builder = new SnapshotBuilder();
    const { input, mesh } = fixture(scenario);
    const first = builder.build(mesh, { id: "web-v1.default" });
    const more = [...input.workloads, workload({ service: "api", version: "v3" }, 9)];
    const second = builder.build(buildMesh({ ...input, workloads: more }).mesh, { id: "web-v1.default" });
    assert.deepEqual(changed(first, second), ["outbound|9080||api.default.svc.cluster.local"]);
    assert.equal(second.byType.get(typeUrl.cluster), first.byType.get(typeUrl.cluster));
    assert.notEqual(second.byType.get(typeUrl.endpoint), first.byType.get(typeUrl.endpoint));
  });

  it("change in one cluster alone when its DestinationRule changes", () => {
    const builder = new SnapshotBuilder();
    const first = builder.build(fixture(scenario).mesh, { id: "web-v1.default" });
    const second = builder.build(fixture(scenario, rule).mesh, { id: "web-v1.default" });
    const versions = changed(first, second).filter((name) => {
      const type = [typeUrl.cluster, typeUrl.route, typeUrl.listener].find((t) =>
        second.byType.get(t)!.has(name),
      )!;
      return first.byType.get(type)!.get(name)?.version !== second.byType.get(type)!.get(name)!.version;
    });
    assert.deepEqual(versions, ["outbound|9080||api.default.svc.cluster.local"]);
  });

  it("are after every change what they would be without one before it", () => {
    const virtualService = (http: string) =>
      `---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: api }\nspec: { hosts: [api], http: [${http}] }\n`;
    const to = "route: [{ destination: { host: api } }]";
    const entry = `---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: { name: e }\nspec: { hosts: [later.example], resolution: STATIC, ports: [{ number: 9080, name: http, protocol: HTTP }], endpoints: [{ address: 192.0.2.1 }] }\n`;
    const hash = rule.replace("simple: RANDOM", "consistentHash: { httpHeaderName: x }");
    const away = virtualService("{ route: [{ destination: { host: later.example } }] }");
    const changes = [
      "",
      virtualService(`{ ${to} }`),
      virtualService(`{ timeout: 2s, ${to} }`),
      virtualService(`{ match: [{ sourceLabels: { app: web } }], timeout: 1s, ${to} }, { ${to} }`),
      away,
      away + entry,
      hash,
      hash + virtualService(`{ ${to} }`),
      "",
    ];
    const warm = new SnapshotBuilder();
    for (const [i, yaml] of changes.entries()) {
      const { mesh } = fixture(scenario, yaml || undefined);
      for (const id of ["web-v1.default", "api-v1.default"]) {
        const built = warm.build(mesh, { id }).byType;
        for (const [type, fresh] of new SnapshotBuilder().build(mesh, { id }).byType) {
          const versions = (map: typeof fresh) => [...map].map(([name, { version }]) => `${name} ${version}`);
          assert.deepEqual(versions(built.get(type)!), versions(fresh), `change ${i}, ${id}, ${type}`);
        }
      }
    }
  });

  it("share between workloads whatever is equal", () => {
    const builder = new SnapshotBuilder();
    const { mesh } = fixture(scenario);
    const [web, v1, v2] = ["web-v1", "api-v1", "api-v2"].map((n) =>
      builder.build(mesh, { id: `${n}.default` }),
    );
    assert.equal(
      web!.byType.get(typeUrl.endpoint),
      v1!.byType.get(typeUrl.endpoint),
      "one map of endpoints for all",
    );
    assert.deepEqual(changed(v1!, v2!), [], "replicas get the very same resources");
    assert.deepEqual(changed(web!, v1!), ["inbound|9080||"], "callers of one namespace share their way out");
  });

  it("differ by where callers stand where a service asks, in its endpoints alone and after a change too", () => {
    const [near, far] = [
      { region: "west", zone: "a", subZone: "" },
      { region: "south", zone: "a", subZone: "" },
    ];
    const placed = {
      workloads: [
        { service: "web", version: "v1", locality: near },
        { service: "web", version: "v2", locality: near },
        { service: "web", version: "v3", locality: far },
        { service: "api", locality: near },
        { service: "plain", locality: far },
      ],
    };
    const builder = new SnapshotBuilder();
    const watched = rule.replace("loadBalancer: { simple: RANDOM }", "outlierDetection: {}");
    const { input, mesh } = fixture(placed, watched);
    const all = (of: typeof mesh) =>
      ["web-v1", "web-v2", "web-v3"].map((name) => builder.build(of, { id: `${name}.default` }));
    const asked = ["outbound|9080||api.default.svc.cluster.local"];
    const [first, second, third] = all(mesh);
    assert.equal(first!.byType.get(typeUrl.endpoint), second!.byType.get(typeUrl.endpoint));
    assert.deepEqual(changed(first!, third!), [], "one endpoint has one priority for all");
    const more = [...input.workloads, workload({ service: "api", version: "v2", locality: far }, 9)];
    const [later, same, other] = all(buildMesh({ ...input, workloads: more }).mesh);
    assert.deepEqual(changed(first!, later!), asked);
    assert.equal(later!.byType.get(typeUrl.endpoint), same!.byType.get(typeUrl.endpoint));
    assert.deepEqual(changed(later!, other!), asked);
    const fresh = new SnapshotBuilder().build(buildMesh({ ...input, workloads: more }).mesh, {
      id: "web-v3.default",
    });
    const version = (snapshot: Snapshot) => snapshot.byType.get(typeUrl.endpoint)!.get(asked[0]!)!.version;
    assert.equal(version(other!), version(fresh));
  });

  it("differ by who sees what, in that alone, and a change elsewhere leaves them as they are", () => {
    const builder = new SnapshotBuilder();
    const short = {
      workloads: [
        { service: "api" },
        { service: "web", namespace: "shop" },
        { service: "web", namespace: "far" },
      ],
    };
    const own = rule.replace("name: api }", "name: api, namespace: shop }");
    const yaml = own.replace("host: api,", "host: api.default.svc.cluster.local,");
    const build = (name: string, text = yaml) => builder.build(fixture(short, text).mesh, { id: name });
    const [api, shop] = [build("api-v1.default"), build("web-v1.shop")];
    const cluster = "outbound|9080||api.default.svc.cluster.local";
    const clusters = (snapshot: Snapshot) => snapshot.byType.get(typeUrl.cluster)!;
    assert.notEqual(clusters(shop).get(cluster), clusters(api).get(cluster));
    const web = "outbound|9080||web.far.svc.cluster.local";
    assert.equal(clusters(shop).get(web), clusters(api).get(web), "what is the same is shared");
    const other =
      "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: w, namespace: far }\nspec: { host: api.default.svc.cluster.local }\n";
    const again = build("web-v1.shop", `${yaml}---\n${other}`);
    for (const [type, map] of again.byType) assert.equal(map, shop.byType.get(type), type);
  });

  it("within a Sidecar's scope hold that alone, and a change outside it leaves them as they are", () => {
    const builder = new SnapshotBuilder();
    const scope =
      'apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: { name: s, namespace: shop }\nspec: { egress: [{ hosts: ["./*"] }] }\n';
    const short = (more: readonly string[]) => ({
      workloads: [
        { service: "web", namespace: "shop" },
        { service: "cart", namespace: "shop" },
        { service: "api", namespace: "far" },
        ...more.map((service) => ({ service, namespace: "far" })),
      ],
    });
    const build = (id: string, more: readonly string[] = []) =>
      builder.build(fixture(short(more), scope).mesh, { id });
    const [web, api] = [build("web-v1.shop"), build("api-v1.far")];
    const names = (snapshot: Snapshot, type: string) => [...snapshot.byType.get(type)!.keys()].sort();
    assert.deepEqual(names(web, typeUrl.endpoint), [
      "outbound|9080||cart.shop.svc.cluster.local",
      "outbound|9080||web.shop.svc.cluster.local",
    ]);
    const cluster = "outbound|9080||cart.shop.svc.cluster.local";
    const clusterOf = (snapshot: Snapshot) => snapshot.byType.get(typeUrl.cluster)!.get(cluster);
    assert.equal(clusterOf(web), clusterOf(api), "and share it with everyone");
    const after = build("web-v1.shop", ["zone"]);
    for (const [type, map] of after.byType) assert.equal(map, web.byType.get(type), type);
  });

  it("differ by what a proxy can do where that matters, and share them by that", () => {
    const builder = new SnapshotBuilder();
    const { mesh } = fixture({
      workloads: [
        { service: "api", version: "v1" },
        { service: "api", version: "v2" },
      ],
    });
    const build = (name: string, features = noFeatures) =>
      builder.build(mesh, { id: `${name}.default`, features });
    const plain = build("api-v1");
    const able = build("api-v1", sidecarFeatures);
    assert.deepEqual(changed(plain, able).sort(), [
      "0.0.0.0_9080",
      "InboundPassthroughCluster",
      "outbound|9080||api.default.svc.cluster.local",
      "virtualInbound",
      "virtualOutbound",
    ]);
    assert.deepEqual(changed(able, build("api-v2", sidecarFeatures)), [], "proxies alike share all of it");
    for (const [again, first] of [
      [build("api-v1"), plain],
      [build("api-v1", sidecarFeatures), able],
    ] as const) {
      for (const [type, map] of again.byType) assert.equal(map, first.byType.get(type), "kept side by side");
    }
  });

  it("of who learns what it uses mark what it asks for, unless a Sidecar or a mirror says that it is used", () => {
    const mirror =
      "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: api }\nspec: { hosts: [api], http: [{ route: [{ destination: { host: api } }], mirror: { host: old } }] }\n---\n";
    const sidecar =
      'apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: { name: s }\nspec: { workloadSelector: { labels: { app: web } }, egress: [{ hosts: ["./*"] }] }\n';
    const builder = new SnapshotBuilder();
    const short = { workloads: [{ service: "web" }, { service: "api" }, { service: "old" }] };
    const { mesh } = fixture(short, mirror + sidecar);
    const eager = (service: string, features: ClientFeatures) => {
      const snapshot = builder.build(mesh, { id: `${service}-v1.default`, features });
      const wildcard = { isWildcard: true, names: new Set<string>() };
      const clusters = [...snapshot.byType.get(typeUrl.cluster)!.values()];
      const given = clusters.filter((cluster) => isGiven(wildcard, cluster, snapshot));
      return given.map(({ name }) => name.split("|")[3]?.split(".")[0]).filter((name) => name);
    };
    assert.deepEqual(eager("api", learningSidecarFeatures), ["old"], "no request waits for a mirror");
    assert.deepEqual(eager("web", learningSidecarFeatures).sort(), ["api", "old", "web"]);
    assert.deepEqual(eager("api", sidecarFeatures).sort(), ["api", "old", "web"]);
  });

  it("of who asks for virtual hosts have each by itself: a changed route is that of its host, and no other's", () => {
    const builder = new SnapshotBuilder();
    const route = (timeout: string) =>
      `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: api }\nspec: { hosts: [api], http: [{ timeout: ${timeout}, route: [{ destination: { host: api } }] }] }\n`;
    const build = (yaml: string, id: string, features: ClientFeatures) =>
      builder.build(fixture(scenario, yaml).mesh, { id, features });
    const before = build(route("1s"), "web-v1.default", learningSidecarFeatures);
    const other = build(route("1s"), "api-v1.default", learningSidecarFeatures);
    const after = build(route("2s"), "web-v1.default", learningSidecarFeatures);
    const hosts = before.byType.get(typeUrl.virtualHost)!;
    const both = ["9080/api.default.svc.cluster.local", "9080/web.default.svc.cluster.local"];
    assert.deepEqual([...hosts.keys()].sort(), both);
    assert.equal(other.byType.get(typeUrl.virtualHost), hosts, "shared by all who ask");
    const wildcard = { isWildcard: true, names: new Set<string>() };
    assert.ok([...hosts.values()].every((host) => !isGiven(wildcard, host, before)));
    assert.deepEqual(changed(before, after), [both[0]]);
    const entry =
      "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: { name: later }\nspec: { hosts: [later.example], ports: [{ number: 9080, name: http, protocol: HTTP }], resolution: DNS }\n";
    const grown = build(`${route("2s")}---\n${entry}`, "web-v1.default", learningSidecarFeatures);
    const { body } = grown.byType.get(typeUrl.route)!.get("9080")!;
    const { virtualHosts, metadata } = fromBinary(RouteConfigurationSchema, body);
    assert.deepEqual(
      virtualHosts.map(({ name }) => name),
      ["allow_any"],
      "a longer list of names moves what stands behind it",
    );
    const names = anyUnpack(metadata!.typedFilterMetadata[onDemandHostsKey]!, OnDemandHostsSchema)!;
    assert.equal(new HostNames(names).find("later.example"), "later.example");
    assert.ok(grown.byType.get(typeUrl.virtualHost)!.has("9080/later.example"));
    const whole = build(route("2s"), "web-v1.default", { ...learningSidecarFeatures, asksForHosts: false });
    assert.equal(whole.byType.get(typeUrl.virtualHost)!.size, 0);
    assert.notEqual(whole.byType.get(typeUrl.route), after.byType.get(typeUrl.route));
  });

  it("of a workload that is not in the mesh are refused", () => {
    const { mesh } = fixture(scenario);
    assert.throws(
      () => new SnapshotBuilder().build(mesh, { id: "gone.default" }),
      /gone.default is not part of the mesh/,
    );
  });
});
