/**
 * What Prometheus makes of pods with the configuration for Kubernetes: promtool
 * is given a pod as Kubernetes would describe it, in place of asking for some.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { findPeer } from "../packages/testkit/src/peer.ts";

const promtool = findPeer("promtool");
const skip = promtool ? false : "no promtool found";
const published = readFileSync(
  join(import.meta.dirname, "..", "observability", "prometheus", "kubernetes.yml"),
  "utf8",
);
const folder = mkdtempSync(join(tmpdir(), "weft-kubernetes-scrape-"));
after(() => rmSync(folder, { recursive: true }));

type Labels = Readonly<Record<string, string>>;

const pod = {
  pod_ip: "10.0.0.7",
  namespace: "prod",
  pod_name: "web-1",
  pod_label_app: "web",
  pod_label_version: "v1",
};
const asked = {
  pod_annotation_prometheus_io_scrape: "true",
  pod_annotation_prometheus_io_port: "9100",
  pod_annotation_prometheus_io_path: "/custom",
};

/** The target a job has of a pod; undefined: none. */
function targetOf(job: string, described: Labels): string | undefined {
  const labels = Object.fromEntries(
    Object.entries(described).map(([name, value]) => [`__meta_kubernetes_${name}`, value]),
  );
  const file = join(folder, "prometheus.yml");
  const found = JSON.stringify([{ targets: ["pod"], labels }]);
  const config = published
    .replaceAll("kubernetes_sd_configs: [{ role: pod }]", `static_configs: ${found}`)
    .replace(/^rule_files: .*$/m, "");
  writeFileSync(file, config);
  const said = execFileSync(promtool!, ["check", "service-discovery", "--timeout=1s", file, job], {
    encoding: "utf8",
  });
  const [{ labels: target }] = JSON.parse(said) as readonly { readonly labels: Labels }[] as [
    { labels: Labels },
  ];
  if (!target.__address__) return undefined;
  const { app, version, namespace, pod: name } = target;
  return `${target.__scheme__}://${target.__address__}${target.__metrics_path__} ${app} ${version} ${namespace} ${name}`;
}

const cases: readonly [what: string, job: string, described: Labels, target: string | undefined][] = [
  [
    "an application that asks for it",
    "kubernetes-pods",
    { ...pod, ...asked },
    "http://10.0.0.7:9100/custom web v1 prod web-1",
  ],
  [
    "one with TLS and the usual path",
    "kubernetes-pods",
    { ...pod, ...asked, pod_annotation_prometheus_io_scheme: "https", pod_annotation_prometheus_io_path: "" },
    "https://10.0.0.7:9100/metrics web v1 prod web-1",
  ],
  [
    "one that does not ask is left alone",
    "kubernetes-pods",
    { ...pod, ...asked, pod_annotation_prometheus_io_scrape: "false" },
    undefined,
  ],
  [
    "a sidecar",
    "envoy-stats",
    { ...pod, pod_container_port_name: "http-envoy-prom" },
    "http://10.0.0.7:15090/stats/prometheus web v1 prod web-1",
  ],
  [
    "a port of the application is no sidecar",
    "envoy-stats",
    { ...pod, pod_container_port_name: "http" },
    undefined,
  ],
  [
    "the control plane",
    "istiod",
    { ...pod, pod_label_app: "weft-control-plane" },
    "http://10.0.0.7:15014/metrics istiod undefined prod web-1",
  ],
];
for (const [what, job, described, target] of cases) {
  test(what, { skip }, () => assert.equal(targetOf(job, described), target));
}
