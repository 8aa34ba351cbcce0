import assert from "node:assert/strict";
import { test } from "node:test";
import type { Workload } from "../registry/workload.ts";
import { scrapeTargets } from "./scrape-targets.ts";

const reviews: Workload = {
  id: "reviews-v1-7f3a.default",
  name: "reviews-v1-7f3a",
  workloadName: "reviews-v1",
  namespace: "default",
  serviceAccount: "reviews",
  service: "reviews",
  labels: { app: "reviews", version: "v1" },
  addresses: ["10.0.0.11", "fd00::11"],
  ports: [],
  interception: "REDIRECT",
  upstreams: [],
  isHealthy: true,
  hasSidecar: true,
};

function targetsOf(...workloads: readonly Workload[]) {
  return scrapeTargets("10.0.0.5:15014", "istio-system", workloads).slice(1);
}

test("the control plane is a target under the names that Istio's dashboards ask for", () => {
  assert.deepEqual(scrapeTargets("10.0.0.5:15014", "istio-system", []), [
    {
      targets: ["10.0.0.5:15014"],
      labels: {
        job: "istiod",
        app: "istiod",
        namespace: "istio-system",
        pod: "istiod",
        __metrics_path__: "/metrics",
      },
    },
  ]);
});

test("a workload's proxy is one target, whatever number of addresses it has", () => {
  assert.deepEqual(targetsOf(reviews), [
    {
      targets: ["10.0.0.11:15090"],
      labels: {
        app: "reviews",
        version: "v1",
        job: "envoy-stats",
        namespace: "default",
        pod: "reviews-v1-7f3a",
        __metrics_path__: "/stats/prometheus",
        __meta_weft_label_app: "reviews",
        __meta_weft_label_version: "v1",
        __meta_weft_workload: "reviews-v1",
        __meta_weft_role: "sidecar",
      },
    },
  ]);
});

test("an IPv6 address stands in brackets, and a gateway is told apart", () => {
  const [target] = targetsOf({ ...reviews, addresses: ["fd00::11"], isGateway: true });
  assert.deepEqual(target?.targets, ["[fd00::11]:15090"]);
  assert.equal(target?.labels.__meta_weft_role, "gateway");
});

test("what has no proxy has no metrics", () => {
  assert.deepEqual(targetsOf({ ...reviews, hasSidecar: false }), []);
});

test("a workload's labels change neither who it is nor how it is scraped", () => {
  const labels = {
    job: "istiod",
    instance: "other",
    namespace: "kube-system",
    pod: "istiod",
    __address__: "169.254.169.254:80",
    __scheme__: "https",
    __metrics_path__: "/latest/meta-data",
    "0/x.y": "z",
  };
  const [target] = targetsOf({ ...reviews, labels });
  const plain = Object.entries(target!.labels).filter(([key]) => !key.startsWith("__meta_"));
  assert.deepEqual(Object.fromEntries(plain), {
    job: "envoy-stats",
    namespace: "default",
    pod: "reviews-v1-7f3a",
    __metrics_path__: "/stats/prometheus",
  });
  assert.equal(target!.labels.__meta_weft_label_0_x_y, "z");
});
