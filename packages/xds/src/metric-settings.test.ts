import assert from "node:assert/strict";
import { test } from "node:test";
import { isMetricVariable, metricSettings, metricVariableHint } from "./metric-settings.ts";

test("the environment of a data plane says how its metrics are counted", () => {
  const environment = {
    WEFT_METRICS_MAX_SERIES: "5000",
    WEFT_METRICS_SERIES_IDLE: "15m",
    WEFT_METRICS_NATIVE_HISTOGRAMS: "true",
    HOME: "/",
  };
  assert.deepEqual(metricSettings(environment), {
    maxSeries: 5_000,
    seriesIdleMs: 900_000,
    hasNativeHistograms: true,
  });
  assert.deepEqual(metricSettings({ WEFT_METRICS_NATIVE_HISTOGRAMS: "false" }), {
    hasNativeHistograms: false,
  });
});

const wrong = [
  ["WEFT_METRICS_MAX_SERIES", "0"],
  ["WEFT_METRICS_MAX_SERIES", "1000001"],
  ["WEFT_METRICS_MAX_SERIES", "many"],
  ["WEFT_METRICS_SERIES_IDLE", "500ms"],
  ["WEFT_METRICS_SERIES_IDLE", "0s"],
  ["WEFT_METRICS_NATIVE_HISTOGRAMS", "yes"],
] as const;
for (const [name, value] of wrong) {
  test(`${name}=${value} says nothing, and a hint says what could`, () => {
    assert.deepEqual(metricSettings({ [name]: value }), {});
    assert.notEqual(metricVariableHint(name, value), undefined);
  });
}

test("other variables are none of these", () => {
  assert.equal(isMetricVariable("WEFT_METRICS_OTHER"), false);
  assert.equal(isMetricVariable("toString"), false);
});
