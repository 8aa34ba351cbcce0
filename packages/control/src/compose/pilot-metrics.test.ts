import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { MetricRegistry } from "@weft/base/metric-registry";
import { renderPrometheusText } from "@weft/base/prometheus-text";
import { PilotMetrics, type PilotReadings } from "./pilot-metrics.ts";
import { ProcessMetrics } from "./process-metrics.ts";

const page = readFileSync(
  join(import.meta.dirname, "..", "..", "..", "..", "docs", "control-plane-metrics.md"),
  "utf8",
);

/** The names in the first column of a section's table. */
function namesIn(section: string): readonly string[] {
  const from = page.indexOf(`## ${section}\n`);
  assert.ok(from >= 0, section);
  const until = page.indexOf("\n## ", from);
  const rows = page.slice(from, until < 0 ? undefined : until).matchAll(/^\| (`[^|]+`) \|/gm);
  return [...rows].flatMap(([, cell]) => [...cell!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!));
}

const readings: PilotReadings = {
  proxies: 3,
  services: 2,
  virtualServices: 1,
  workloads: 2,
  notReadyWorkloads: 1,
  emptyServices: 1,
  configErrors: 0,
  rootExpirySeconds: 2_000,
  chainExpirySeconds: 1_000,
  issuedCertificates: 5,
  uptimeSeconds: 60,
  proxiesByState: { synced: 2, stale: 0, nacked: 1, "not sent": 0 },
  certificateExpiries: [["web.prod", 900]],
};

function setUp() {
  const registry = new MetricRegistry();
  const metrics = new PilotMetrics(registry, "1.2.3", () => readings);
  return { registry, metrics, text: () => renderPrometheusText(registry) };
}

test("the page of the documentation has every metric that there is, and none that there is not", (t) => {
  const { registry, metrics } = setUp();
  const process = new ProcessMetrics(registry);
  t.after(() => process.close());
  metrics.started(1);
  renderPrometheusText(registry);
  const exported = [...registry.families].map(({ name }) => name).sort();
  assert.deepEqual(exported, [...namesIn("The same"), ...namesIn("Weft's own")].sort());
  const missing = namesIn("Not here");
  assert.ok(missing.length > 50);
  assert.deepEqual(
    missing.filter((name) => exported.includes(name)),
    [],
  );
});

test("what goes to proxies is counted by type, with its size and what held it up", () => {
  const { metrics, text } = setUp();
  metrics.sent("cds", 20_000);
  metrics.sent("eds", 100);
  metrics.rejected("lds");
  metrics.troubled("cds", "held back");
  metrics.troubled("all", "not read");
  const said = text();
  for (const line of [
    'pilot_xds_pushes{type="cds"} 1',
    'pilot_xds_config_size_bytes_bucket{type="cds",le="10000"} 0',
    'pilot_xds_config_size_bytes_bucket{type="cds",le="1000000"} 1',
    'pilot_xds_config_size_bytes_sum{type="eds"} 100',
    'pilot_total_xds_rejects{type="lds"} 1',
    'pilot_xds_delayed_pushes_total{type="cds"} 1',
    'pilot_xds_write_timeout{type="all"} 1',
    "pilot_endpoint_not_ready 1",
    "citadel_server_cert_chain_expiry_timestamp 1000",
    'weft_certificate_expiry_timestamp_seconds{workload="web",workload_namespace="prod"} 900',
  ]) {
    assert.ok(said.includes(`${line}\n`), `${line} in\n${said}`);
  }
});

test("changes that come together are counted each, and their push once", () => {
  const { metrics, text } = setUp();
  for (let i = 0; i < 5; i++) metrics.changed("endpoint");
  metrics.pushed(new Set(["endpoint"]));
  assert.match(text(), /^pilot_inbound_updates\{type="endpoint"\} 5$/m);
  assert.match(text(), /^pilot_push_triggers\{type="endpoint"\} 1$/m);
});

const outcomes = [
  ["unauthenticated", "citadel_server_authentication_failure_count"],
  ["permission-denied", "citadel_server_authentication_failure_count"],
  ["invalid-argument", "citadel_server_csr_parsing_err_count"],
] as const;
for (const [code, counter] of outcomes) {
  test(`a certificate request that is refused as ${code} is counted under ${counter}`, () => {
    const { metrics, text } = setUp();
    metrics.certificateAsked({ isIssued: false, code, message: "no" });
    assert.match(text(), new RegExp(`^${counter} 1$`, "m"));
    assert.match(text(), /^citadel_server_csr_count 1$/m);
    assert.match(text(), /^citadel_server_csr_sign_err_count 0$/m);
  });
}

test("an authority that fails is told from one that refuses", () => {
  const { metrics, text } = setUp();
  metrics.certificateAsked(undefined);
  assert.match(text(), /^citadel_server_csr_sign_err_count 1$/m);
});
