import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Timer } from "@weft/base/clock";
import { parseTrustDomain } from "@weft/identity/spiffe-id";
import { FakeClock } from "@weft/testkit/fake-clock";
import { localOperator } from "../api/caller.ts";
import type { StartRollout } from "../api/rollout-protocol.ts";
import { WorkloadRegistry } from "../registry/workload-registry.ts";
import { openStore } from "../store/open-store.ts";
import { MetricHistory } from "../telemetry/metric-history.ts";
import { keptMetrics, type Sample } from "../telemetry/sample.ts";
import { workload } from "../translate/mesh-fixture.ts";
import { ConfigChanges } from "./config-changes.ts";
import { ConfigSet } from "./config-set.ts";
import { EventLog } from "./event-log.ts";
import { MeshPipeline } from "./mesh-pipeline.ts";
import { Outward } from "./outward.ts";
import { ProxySyncTable } from "./proxy-sync.ts";
import { Rollouts } from "./rollouts.ts";
import { FakeStream } from "./test-synced-stream.ts";
import { VirtualAddresses } from "./virtual-addresses.ts";

const trustDomain = parseTrustDomain("cluster.local");
const bounds = [10, 100, 500];

export const subsets = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: api }
spec: { host: api, subsets: [{ name: v1, labels: { version: v1 } }, { name: v3, labels: { version: v3 } }] }
`;
export const route = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: api }
spec:
  hosts: [api]
  http:
    - route: [{ destination: { host: api, subset: v1 } }]
`;

export const ask: StartRollout = {
  namespace: "default",
  service: "api",
  to: "v3",
  steps: [10, 50, 100],
  intervalMs: 10_000,
  criteria: { successPercent: 99, p99Ms: 300, minRequests: 10 },
  threshold: 1,
  deadlineMs: 30_000,
  iterations: 1,
  ackTimeoutMs: 30_000,
};

/** A control plane without its wires, one sidecar that answers what the test says, and calls that the test makes. */
export async function setUpRollouts(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "weft-rollouts-"));
  const clock = new FakeClock(1_000_000);
  const errors: unknown[] = [];
  const outward = new Outward(clock, { allowed: ["127.0.0.0/8"] });
  const open = () => {
    const store = openStore({ directory, trustDomain, clock });
    const registry = new WorkloadRegistry({ clock });
    const leases = new Map(
      ["v1", "v3"].map((version, i) => {
        const lease = registry.register(workload({ service: "api", version }, i + 2));
        lease.setHealth(true);
        return [version, lease] as const;
      }),
    );
    registry.register(workload({ service: "web" }, 1)).setHealth(true);
    const config = new ConfigSet();
    config.load(store.resources.current());
    const pipeline = new MeshPipeline({
      config,
      registry,
      addresses: new VirtualAddresses({ load: () => new Map(), add() {} }),
      keys: { current: new Map() },
      settings: { trustDomain },
    });
    const sync = new ProxySyncTable(clock, () => {});
    const events = new EventLog(clock);
    const history = new MetricHistory({ clock });
    const changes = new ConfigChanges({
      clock,
      store: store.resources,
      audit: store.audit,
      config,
      pipeline,
      sync,
      events,
      onChange: () => pipeline.rebuild(),
    });
    registry.onChange(() => pipeline.rebuild());
    const parts = { clock, config, changes, pipeline, registry, sync, history, events };
    const make = () =>
      new Rollouts({
        ...parts,
        store: store.rollouts,
        resources: store.resources,
        outward,
        onError: (error) => errors.push(error),
      });
    return { ...parts, store, leases, rollouts: make() };
  };
  let plane = open();
  const connect = () => {
    const stream = new FakeStream();
    const info = {
      nodeId: "sidecar~web",
      role: "sidecar" as const,
      workloadId: "web-1.default",
      identity: "",
      address: "",
      version: "",
      dataPlane: "",
      isProxyless: false,
    };
    const proxy = plane.sync.connect(info, stream);
    /** The sidecar takes, or refuses, what it was given last. */
    return (error?: string) => {
      stream.send();
      stream.answer(error);
      const { revision } = plane.store.resources;
      plane.sync.settled(proxy, { version: `${revision}`, revision, changedAtMs: clock.monotonicMs() });
    };
  };
  let answer = connect();
  const totals = new Map<string, { ok: number; failed: number; slow: number }>();
  const report = () => {
    for (const [version, { ok, failed, slow }] of totals) {
      const id = [...plane.registry.workloads.values()].find(({ labels }) => labels.version === version)?.id;
      if (id) plane.history.record(id, samplesOf(ok, failed, slow));
    }
  };
  // As agents do, whether something happened or not.
  let reporting: Timer;
  const reportOn = (): void => {
    report();
    reporting = clock.setTimer(reportOn, 500);
  };
  const calls = (version: string, ok: number, failed = 0, slow = 0) => {
    const before = totals.get(version) ?? { ok: 0, failed: 0, slow: 0 };
    totals.set(version, { ok: before.ok + ok, failed: before.failed + failed, slow: before.slow + slow });
  };
  const apply = (text: string) =>
    plane.changes.apply(
      { files: [{ name: "mesh.yaml", text }] },
      { caller: localOperator, ifRevision: undefined },
    );
  apply(subsets);
  apply(route);
  answer();
  calls("v1", 1_000);
  calls("v3", 0);
  reportOn();
  t.after(() => {
    reporting.cancel();
    plane.rollouts.close();
    plane.registry.close();
    plane.store.close();
    rmSync(directory, { recursive: true });
  });
  return {
    clock,
    errors,
    apply,
    calls,
    answer: (error?: string) => answer(error),
    text: () => plane.config.entries.get("VirtualService/default/api")?.text.text,
    start: (request: StartRollout) => plane.rollouts.start(request, localOperator),
    status: () => plane.rollouts.status(ask, 0),
    /** The control plane is killed and started again on what it stored. */
    restart() {
      plane.rollouts.close();
      plane.registry.close();
      plane.store.close();
      plane = open();
      answer = connect();
      answer();
      plane.rollouts.resume();
    },
    get plane() {
      return plane;
    },
  };
}

function samplesOf(ok: number, failed: number, slow: number): Sample[] {
  const labels = { reporter: "destination" };
  return [
    { metric: keptMetrics.requests, labels: { ...labels, response_code: "200" }, value: ok + slow },
    { metric: keptMetrics.requests, labels: { ...labels, response_code: "500" }, value: failed },
    {
      metric: keptMetrics.duration,
      labels,
      value: ok + failed + slow,
      buckets: { bounds, counts: [ok + failed, 0, 0, slow] },
    },
  ];
}
