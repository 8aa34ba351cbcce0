/**
 * Every YAML of Istio's samples and of the Gateway API's mesh tests, with what
 * its documentation deploys beforehand: whatever it makes of the configuration
 * of any proxy, a gateway's included, real Envoy and Weft's sidecar take.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { parseConfig } from "@weft/control/config/parse-config";
import { writtenWorkloads } from "@weft/control/inspect/written-workloads";
import { buildMesh } from "@weft/control/model/build-mesh";
import { hostnamesNeedingAddress } from "@weft/control/model/build-services";
import type { Mesh } from "@weft/control/model/mesh";
import type { Workload } from "@weft/control/registry/workload";
import { SnapshotBuilder } from "@weft/control/snapshot/snapshot-builder";
import {
  type ClientFeatures,
  learningSidecarFeatures,
  noFeatures,
} from "@weft/control/translate/client-features";
import { envoyBootstrap } from "@weft/control/translate/envoy-bootstrap";
import { workload } from "@weft/control/translate/mesh-fixture";
import { translateSidecar } from "@weft/control/translate/translate-sidecar";
import { DryClock } from "@weft/proxy/explain/dry-clock";
import { dryDecoder } from "@weft/proxy/explain/dry-decoder";
import { findPeer } from "@weft/testkit/peer";
import type { XdsResource } from "@weft/xds/snapshot";
import { typeUrl } from "@weft/xds/type-url";

const envoy = findPeer("envoy");
const testdata = fileURLToPath(new URL("../../packages/control/testdata/", import.meta.url));
const settings = { trustDomain: "cluster.local" };

const platform = ["istio-bookinfo/platform-bookinfo.yaml", "istio-bookinfo/platform-bookinfo-versions.yaml"];
const rules = "istio-bookinfo/destination-rule-all.yaml";

/** What has to be there before a file makes sense. */
function deployedBefore(file: string): readonly string[] {
  if (file.startsWith("istio-bookinfo/gateway-api/")) return platform;
  if (file.startsWith("istio-bookinfo/destination-rule")) return platform;
  if (file.startsWith("istio-bookinfo/")) return [...platform, rules];
  if (file.startsWith("gateway-api-mesh/tests/")) return ["gateway-api-mesh/base/manifests.yaml"];
  const [app] = /^istio-samples\/[^/]+/.exec(file) ?? [];
  const base: Readonly<Record<string, readonly string[]>> = {
    "istio-samples/helloworld": ["helloworld.yaml"],
    "istio-samples/httpbin": ["httpbin.yaml"],
    "istio-samples/tcp-echo": ["tcp-echo.yaml", "tcp-echo-services.yaml"],
    "istio-samples/websockets": ["app.yaml"],
  };
  const isRouting = /gateway|route|all-v1|20-v2/.test(file);
  return isRouting && app ? (base[app] ?? []).map((name) => `${app}/${name}`) : [];
}

/** A gateway that the labels of Istio's samples select, and one for each Gateway of the Gateway API. */
function gateways(names: readonly string[]): Workload[] {
  const one = (name: string, labels: Workload["labels"]): Workload => ({
    ...workload({ service: name, ports: [] }, 250),
    labels,
    isGateway: true,
  });
  return [
    one("istio-ingressgateway", { app: "istio-ingressgateway", istio: "ingressgateway" }),
    ...names.map((name) => one(`gateway-${name}`, { "gateway.networking.k8s.io/gateway-name": name })),
  ];
}

function meshOf(files: readonly string[]): Mesh {
  const texts = files.map((name) => ({ name, text: readFileSync(join(testdata, name), "utf8") }));
  const { resources, others } = parseConfig(texts);
  const { workloads: written } = writtenWorkloads(resources, others);
  const named = resources.filter(({ apiVersion, kind }) => kind === "Gateway" && apiVersion.includes("k8s"));
  const workloads = [...written, ...gateways(named.map(({ name }) => name))];
  const names = hostnamesNeedingAddress(resources, workloads, settings);
  const vips = new Map(names.map((name, i) => [name, `240.240.0.${i + 1}`]));
  return buildMesh({ resources, workloads, vips, options: settings }).mesh;
}

const judgedBy = { envoy: new Set<XdsResource>(), sidecar: new Set<XdsResource>() };
const builder = new SnapshotBuilder();

/** What a proxy is given and no proxy before it was, whichever file it is made of. */
function* news(mesh: Mesh, id: string, features: ClientFeatures, judged: Set<XdsResource>) {
  for (const [type, resources] of builder.build(mesh, { id, features }).byType) {
    for (const resource of resources.values()) if (!judged.has(resource)) yield { type, resource };
  }
}

/** Loads all that a proxy is given at once: Envoy checks more than messages one by one. */
function judgeByEnvoy(mesh: Mesh, folder: string): void {
  for (const [id, one] of mesh.workloads) {
    const fresh = [...news(mesh, id, noFeatures, judgedBy.envoy)];
    if (fresh.length === 0) continue;
    const file = join(folder, "bootstrap.json");
    writeFileSync(file, JSON.stringify(envoyBootstrap(translateSidecar(mesh, one, noFeatures))));
    const args = ["--mode", "validate", "-c", file, "-l", "error"];
    const { status, stderr, stdout } = spawnSync(envoy!, args, { encoding: "utf8", timeout: 60_000 });
    assert.equal(status, 0, `${id}: ${stderr}${stdout}`);
    for (const { resource } of fresh) judgedBy.envoy.add(resource);
  }
}

const decoder = dryDecoder({
  clock: new DryClock(),
  random: () => 0,
  onCallout() {},
  routeHolder: () => ({ current: undefined }),
});
const decode: Readonly<Record<string, (body: Uint8Array) => unknown>> = {
  [typeUrl.listener]: (body) => decoder.listener(body),
  [typeUrl.route]: (body) => decoder.routes(body),
  [typeUrl.cluster]: (body) => decoder.cluster(body),
  [typeUrl.endpoint]: (body) => decoder.endpoints(body),
  [typeUrl.secret]: (body) => decoder.secret(body),
};

/** By the decoder of the running sidecar: what it throws is what a NACK would say. */
function judgeBySidecar(mesh: Mesh): void {
  for (const id of mesh.workloads.keys()) {
    for (const { type, resource } of news(mesh, id, learningSidecarFeatures, judgedBy.sidecar)) {
      assert.doesNotThrow(() => decode[type]?.(resource.body), `${id}: ${type} ${resource.name}`);
      judgedBy.sidecar.add(resource);
    }
  }
}

const files = globSync(["istio-*/**/*.yaml", "gateway-api-mesh/**/*.yaml"], { cwd: testdata }).sort();

describe("what every sample makes is taken", () => {
  it("there are as many as there were", () => assert.ok(files.length >= 92, `${files.length}`));
  for (const file of files) {
    it(file, () => {
      const mesh = meshOf([...new Set([...deployedBefore(file), file])]);
      assert.ok(mesh.workloads.size > 0);
      judgeBySidecar(mesh);
      if (!envoy) return;
      const folder = mkdtempSync(join(tmpdir(), "weft-samples-"));
      try {
        judgeByEnvoy(mesh, folder);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }
  it("by the sidecar, hundreds of resources", () => assert.ok(judgedBy.sidecar.size > 300));
  it(
    "and by real Envoy",
    {
      skip: envoy ? false : "no envoy on PATH, in WEFT_PEERS or ~/.cache/weft/peers",
    },
    () => assert.ok(judgedBy.envoy.size > 300),
  );
});
