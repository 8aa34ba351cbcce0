import assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "@weft/base/errors";
import type { RunOptions } from "./run-options.ts";
import { nodeId, nodeMetadata, planWorkload, type Surroundings } from "./workload-plan.ts";

const root: Surroundings = {
  isRoot: true,
  hasNft: true,
  hasOwnNetwork: true,
  addresses: ["10.0.0.7"],
  runtimeDir: "/run/weft",
};
const options: RunOptions = {
  name: "reviews",
  version: "v1",
  ports: [{ port: 9080, protocol: "http", name: "http" }],
  command: ["node", "reviews.js"],
  productVersion: "0.1.0",
};
const upstream = { host: "ratings", port: 9080, bindAddress: "127.0.0.1", bindPort: 20000 };

test("a captured workload registers with the words of the contract", () => {
  const plan = planWorkload({ ...options, labels: { team: "a" } }, root);
  const { instance } = plan;
  assert.match(instance, /^reviews-v1-[0-9a-f]{6}$/);
  assert.equal(nodeId(plan, "agent"), `agent~10.0.0.7~${instance}.default~default.svc.cluster.local`);
  assert.deepEqual(nodeMetadata(plan, "0.1.0"), {
    NAME: instance,
    WORKLOAD_NAME: "reviews-v1",
    NAMESPACE: "default",
    SERVICE_ACCOUNT: "reviews",
    LABELS: { app: "reviews", version: "v1", team: "a" },
    INSTANCE_IPS: "10.0.0.7",
    INTERCEPTION_MODE: "REDIRECT",
    MESH_ID: "cluster.local",
    WEFT_VERSION: "0.1.0",
    SERVICE: "reviews",
    APP_PORTS: [{ port: 9080, protocol: "http", name: "http" }],
  });
  assert.equal(plan.runDir, "/run/weft/default/reviews-v1-10.0.0.7");
});

test("a workload of both families says so, and is known by its first address", () => {
  const found = planWorkload(options, { ...root, addresses: ["10.0.0.7", "fd00::7"] });
  assert.equal(nodeMetadata(found, "0.1.0").INSTANCE_IPS, "10.0.0.7,fd00::7");
  assert.equal(found.instance, planWorkload(options, root).instance, "as before it had the other");
  const told = planWorkload({ ...options, addresses: ["fd00::7", "10.0.0.7"] }, root);
  assert.match(nodeId(told, "agent"), /^agent~fd00::7~/);
  assert.equal(nodeMetadata(told, "0.1.0").INSTANCE_IPS, "fd00::7,10.0.0.7");
});

test("it stands where it is told to, as far as it is told", () => {
  const standing = (locality: string) => planWorkload({ ...options, locality }, root).locality;
  assert.deepEqual(standing("west"), { region: "west", zone: "", subZone: "" });
  assert.deepEqual(standing("west/b/rack-7"), { region: "west", zone: "b", subZone: "rack-7" });
});

test("without interception it also says where peers connect and what it calls", () => {
  const plan = planWorkload(
    {
      ...options,
      capture: "none",
      addresses: ["127.77.0.3"],
      inboundPorts: new Map([[9080, 19080]]),
      upstreams: [upstream],
    },
    { ...root, isRoot: false },
  );
  const metadata = nodeMetadata(plan, "0.1.0");
  assert.equal(metadata.INTERCEPTION_MODE, "NONE");
  assert.deepEqual(metadata.APP_PORTS, [{ port: 9080, protocol: "http", name: "http", listenPort: 19080 }]);
  assert.deepEqual(metadata.UPSTREAMS, [upstream]);
});

test("an instance keeps its name when it is started again, and has it alone", () => {
  const { instance } = planWorkload(options, root);
  assert.equal(planWorkload(options, root).instance, instance);
  assert.notEqual(planWorkload(options, { ...root, addresses: ["10.0.0.8"] }).instance, instance);
  assert.notEqual(planWorkload({ ...options, runDir: "/tmp/other" }, root).instance, instance);
});

test("a workload that only calls others serves nothing", () => {
  assert.equal(planWorkload({ ...options, ports: [] }, root).service, "");
});

const captures: readonly [why: string, here: Partial<Surroundings>, expected: "nft" | "none"][] = [
  ["root with nft is captured", {}, "nft"],
  ["without root nothing is", { isRoot: false }, "none"],
  ["without nft neither", { hasNft: false }, "none"],
  ["nor the traffic of a whole machine", { hasOwnNetwork: false }, "none"],
];
for (const [why, here, expected] of captures) {
  test(`interception by default: ${why}`, () => {
    assert.equal(planWorkload(options, { ...root, ...here }).capture, expected);
  });
}

const refused: readonly [given: Partial<RunOptions>, here: Partial<Surroundings>, message: RegExp][] = [
  [{ name: "Reviews" }, {}, /--name "Reviews" is not a DNS label/],
  [{ namespace: "a.b" }, {}, /--namespace/],
  [{ serviceAccount: "" }, {}, /--service-account/],
  [{ command: [] }, {}, /no command/],
  [{ locality: "west//1" }, {}, /--locality "west\/\/1" is not a locality/],
  [{ controlPlane: "10.0.0.2" }, {}, /--control-plane "10.0.0.2" is not HOST:PORT/],
  [{ controlPlane: "10.0.0.2:99999" }, {}, /--control-plane/],
  [{ capture: "nft" }, { isRoot: false }, /needs root/],
  [{ capture: "nft" }, { hasNft: false }, /needs the nft command/],
  [{ capture: "nft", upstreams: [upstream] }, {}, /--upstream has no effect with --capture nft/],
  [{ upstreams: [upstream] }, {}, /--upstream has no effect/],
  [{ inboundPorts: new Map([[9080, 1]]) }, {}, /--inbound-port has no effect/],
  [{ capture: "none", inboundPorts: new Map([[1, 2]]) }, {}, /there is no --port 1/],
  [{ ports: [options.ports[0]!, options.ports[0]!] }, {}, /--port 9080 is given twice/],
  [{}, { addresses: [] }, /no network interface/],
  [{ addresses: ["10.0.0.7", "10.0.0.7"] }, {}, /--address 10.0.0.7 is given twice/],
  [
    { addresses: Array.from({ length: 17 }, (_, i) => `10.0.0.${i}`) },
    {},
    /--address is given 17 times, at most 16 are taken/,
  ],
  [{ proxy: "none", concurrency: 2 }, {}, /--concurrency needs a sidecar/],
  [{ proxy: "none", capture: "nft" }, {}, /--capture nft needs a sidecar/],
  [
    { proxy: "none", metrics: { maxSeries: 5, seriesIdleMs: 1_000 } },
    {},
    /--max-series, --series-idle needs a side/,
  ],
  [
    { appMetrics: { port: 1, path: "/" }, metrics: { hasNativeHistograms: true } },
    {},
    /--app-metrics the page .* is text/,
  ],
  [{ proxy: "none", upstreams: [upstream], accessLog: "-" }, {}, /--upstream, --access-log needs a sidecar/],
];
for (const [given, here, message] of refused) {
  test(`refused with ${message.source}: ${JSON.stringify(given)} ${JSON.stringify(here)}`, () => {
    assert.throws(
      () => planWorkload({ ...options, ...given }, { ...root, ...here }),
      (error) => error instanceof UserError && message.test(error.message),
    );
  });
}

test("an IPv6 control plane is written in brackets", () => {
  assert.deepEqual(planWorkload({ ...options, controlPlane: "[fd00::2]:15012" }, root).controlPlane, {
    host: "fd00::2",
    port: 15012,
  });
});

test("a member of a WorkloadGroup leaves to that what it does not say itself", () => {
  const { name: _, ports: _p, version: _v, ...rest } = options;
  const plan = planWorkload({ ...rest, ports: [], workloadGroup: "reviews-vm" }, root);
  const metadata = nodeMetadata(plan, "0.1.0");
  assert.equal(metadata.WORKLOAD_GROUP, "reviews-vm");
  assert.deepEqual([metadata.SERVICE, metadata.LABELS, metadata.APP_PORTS], ["", {}, []]);
  assert.equal(metadata.SERVICE_ACCOUNT, "reviews-vm");
  const named = planWorkload({ ...options, workloadGroup: "reviews-vm" }, root);
  assert.deepEqual([named.service, named.labels.app], ["reviews", "reviews"]);
  assert.throws(() => planWorkload({ ...rest, ports: [] }, root), /neither --name nor --workload-group/);
});

test("a gateway captures nothing, and has the labels that Istio's chart gives it", () => {
  const gateway = {
    ...options,
    name: "istio-ingressgateway",
    version: undefined,
    isGateway: true,
    command: [],
  };
  const plan = planWorkload({ ...gateway, ports: [] }, root);
  assert.equal(plan.capture, "none");
  assert.deepEqual(plan.labels, {
    app: "istio-ingressgateway",
    istio: "ingressgateway",
    "gateway.networking.k8s.io/gateway-name": "istio-ingressgateway",
  });
  const metadata = nodeMetadata(plan, "0.1.0");
  assert.equal(metadata.GATEWAY, true);
  assert.equal(metadata.INTERCEPTION_MODE, "NONE");
  assert.equal(metadata.SERVICE, "", "it is no service unless it has ports");
  const other = planWorkload({ ...gateway, labels: { istio: "edge" } }, root);
  assert.deepEqual([other.labels.istio, other.service], ["edge", "istio-ingressgateway"]);
});

test("what only an application could have is refused for a gateway, by the flag's name", () => {
  const gateway = { ...options, isGateway: true, command: [] };
  const cases: [Partial<RunOptions>, RegExp][] = [
    [{ command: ["node"] }, /the command node/],
    [{ proxy: "none" }, /--proxy none/],
    [{ capture: "nft" }, /--capture nft/],
    [{ upstreams: [upstream] }, /--upstream/],
    [{ appUser: "web" }, /--user/],
    [{ exclude: { outboundPorts: [25] } }, /--exclude-outbound-port/],
  ];
  for (const [flags, expected] of cases) {
    assert.throws(
      () => planWorkload({ ...gateway, ...flags }, root),
      (thrown) => {
        assert.ok(thrown instanceof UserError);
        assert.match(thrown.message, expected);
        return true;
      },
    );
  }
});
