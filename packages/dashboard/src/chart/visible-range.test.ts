import assert from "node:assert/strict";
import { test } from "node:test";
import type { HistoryReport } from "@weft/control/api/protocol";
import { visibleRange } from "./visible-range.ts";

function report(known: number): HistoryReport {
  const values = Array.from({ length: 240 }, (_, i) => (i >= 240 - known ? i : null));
  const all = { rps: values, success: values, p50: values, p95: values, p99: values };
  return { startMs: 0, stepMs: 15_000, ...all, denied: values, tcp: values, saturation: values };
}

const cases: readonly (readonly [what: string, known: number, range: string, steps: number])[] = [
  ["a young mesh is shown from five minutes on", 4, "", 20],
  ["by itself as much as there is", 100, "", 102],
  ["never more than the hour", 240, "", 240],
  ["half an hour when asked", 240, "30", 120],
  ["a range nobody offers is as none", 240, "7", 240],
];
for (const [what, known, range, steps] of cases) {
  test(what, () => {
    const shown = visibleRange(report(known), range);
    assert.equal(shown.rps.length, steps);
    assert.equal(shown.rps.at(-1), 239);
    assert.equal(shown.startMs, (240 - steps) * 15_000);
  });
}
