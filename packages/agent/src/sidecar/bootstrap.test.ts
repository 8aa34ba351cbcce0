import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { golden } from "@weft/testkit/golden";
import { findPeer } from "@weft/testkit/peer";
import { clientFeature } from "@weft/xds/client-feature";
import { type BootstrapPlan, buildBootstrap } from "./bootstrap.ts";

const captured: BootstrapPlan = {
  nodeId: "sidecar~10.0.0.7~reviews-v1-7f3a9c.default~default.svc.cluster.local",
  nodeCluster: "reviews-v1.default",
  metadata: {
    NAME: "reviews-v1-7f3a9c",
    LABELS: { app: "reviews", version: "v1" },
    APP_PORTS: [{ port: 9080 }],
  },
  clientFeatures: [clientFeature.ipv6],
  controlPlane: { host: "10.0.0.2", port: 15012 },
  controlPlaneSpiffeId: "spiffe://cluster.local/ns/weft-system/sa/weft-control-plane",
  sdsSocketPath: "/run/weft/default/reviews-v1/sds/sds.sock",
  admin: { address: "127.0.0.1", port: 15000 },
  stats: { addresses: ["0.0.0.0", "::"], port: 15090 },
  health: { addresses: ["0.0.0.0", "::"], port: 15021 },
  metrics: {},
};
const withOtherMetrics: BootstrapPlan = {
  ...captured,
  metrics: { maxSeries: 5_000, seriesIdleMs: 600_000, hasNativeHistograms: true },
};
const withAgentStats: BootstrapPlan = {
  ...captured,
  clientFeatures: [clientFeature.ipv6, clientFeature.accessLogMetrics],
  statsSocketPath: "/run/weft/default/reviews-v1/sds/stats.sock",
};
const onOneAddress: BootstrapPlan = {
  ...captured,
  clientFeatures: [],
  controlPlane: { host: "control.example", port: 443 },
  admin: { address: "127.77.0.3", port: 15000 },
  stats: { addresses: ["127.77.0.3"], port: 15090 },
  health: { addresses: ["127.77.0.3"], port: 15021 },
};
const envoy = findPeer("envoy");

for (const [name, plan] of [
  ["bootstrap", captured],
  ["bootstrap-on-one-address", onOneAddress],
  ["bootstrap-with-agent-stats", withAgentStats],
  ["bootstrap-with-other-metrics", withOtherMetrics],
] as const) {
  const file = new URL(`../../testdata/${name}.yaml`, import.meta.url);

  test(`${name}.yaml is as reviewed`, () => golden(file, buildBootstrap(plan)));

  test(`Envoy accepts ${name}.yaml`, {
    skip: envoy ? false : "no envoy on PATH, in WEFT_PEERS or ~/.cache/weft/peers",
  }, () => {
    const { status, stderr } = spawnSync(envoy!, ["--mode", "validate", "-c", fileURLToPath(file)], {
      encoding: "utf8",
    });
    assert.equal(status, 0, stderr);
  });
}
