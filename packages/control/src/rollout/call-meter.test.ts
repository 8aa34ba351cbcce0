import assert from "node:assert/strict";
import { test } from "node:test";
import { keptMetrics, type Labels, type Sample } from "../telemetry/sample.ts";
import { CallMeter, type MeteredVersions } from "./call-meter.ts";

const host = "reviews.default.svc.cluster.local";
const members = (...ids: string[]) => ({
  workloads: new Set(ids),
  revisions: new Set([ids[0]!]),
  healthy: 1,
});
const versions: MeteredVersions = {
  hostnames: new Set([host]),
  stable: members("v1"),
  canary: members("v3"),
};

const requests = (value: number, labels: Labels): Sample => ({ metric: keptMetrics.requests, labels, value });
const answered = (value: number, code = "200") =>
  requests(value, { reporter: "destination", response_code: code });
const givenUp = (value: number, flags: string, revision: string, principal = "") =>
  requests(value, {
    reporter: "source",
    response_code: "503",
    response_flags: flags,
    destination_service: host,
    destination_canonical_revision: revision,
    destination_principal: principal,
  });

function newest(said: Readonly<Record<string, readonly Sample[]>>) {
  return Object.entries(said).map(
    ([exporter, samples]) => [exporter, new Map(samples.map((sample, i) => [String(i), sample]))] as const,
  );
}

test("what was called before it began is not counted, nor what others do", () => {
  const before = newest({ v1: [answered(900)], v3: [answered(90)] });
  const meter = new CallMeter(before);
  meter.take(before, versions);
  // Some of the ten were answered before it began.
  meter.take(newest({ v1: [answered(900)], v3: [answered(100)] }), versions);
  meter.take(newest({ v1: [answered(940)], v3: [answered(110)], other: [answered(5)] }), versions);
  meter.take(newest({ v1: [answered(940)], v3: [answered(112)], other: [answered(50)] }), versions);
  assert.deepEqual([meter.stable.requests, meter.canary.requests], [40, 12]);
});

test("what a workload says first is where it begins; a counter that went back begins anew", () => {
  const meter = new CallMeter([]);
  meter.take(newest({ v3: [answered(7_000)] }), versions);
  assert.equal(meter.canary.requests, 0, "it may have served for a year");
  meter.take(newest({ v3: [answered(7_010)] }), versions);
  meter.take(newest({ v3: [answered(4)] }), versions);
  assert.equal(meter.canary.requests, 14);
});

test("calls that callers gave up are the version's that was chosen for them, once", () => {
  const meter = new CallMeter([]);
  meter.take(newest({ web: [], v3: [] }), versions);
  meter.take(
    newest({
      v3: [answered(10, "0"), answered(5, "500")],
      web: [
        givenUp(3, "UF", "v3"),
        givenUp(2, "UT", "v3", "spiffe://a"),
        givenUp(9, "UF", "v1"),
        givenUp(8, "UF", "unknown"),
      ],
    }),
    versions,
  );
  assert.deepEqual([meter.canary.requests, meter.canary.failures], [18, 10]);
  assert.deepEqual([meter.stable.requests, meter.stable.failures], [9, 9]);
});

test("durations add up over workloads and reports", () => {
  const took = (counts: number[]): Sample => ({
    metric: keptMetrics.duration,
    labels: { reporter: "destination" },
    value: counts.reduce((a, b) => a + b),
    buckets: { bounds: [10, 100], counts },
  });
  const meter = new CallMeter([]);
  meter.take(newest({ v3: [took([1, 1, 0])] }), versions);
  meter.take(newest({ v3: [took([3, 1, 1])] }), versions);
  meter.take(newest({ v3: [took([3, 5, 1])] }), versions);
  assert.deepEqual(meter.canary.durations?.counts, [2, 4, 1]);
});
