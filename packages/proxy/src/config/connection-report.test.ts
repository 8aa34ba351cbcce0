import assert from "node:assert/strict";
import { test } from "node:test";
import type { AdsState } from "@weft/xds/ads-client";
import { type GrpcCode, GrpcError, grpcCode } from "@weft/xds/grpc/grpc-status";
import { connectionReport } from "./connection-report.ts";

const answered: AdsState = { t: "connected", isAnswered: true };
const failed = (code: GrpcCode, message: string): AdsState => ({
  t: "waiting",
  error: new GrpcError(code, message),
  retryMs: 500,
});

test("a stream that is bad is told of once, and once when it is good again, however many attempts fail", () => {
  const said: string[] = [];
  const report = connectionReport("ADS", {
    warn: (text) => said.push(`warn ${text}`),
    inform: (text) => said.push(`inform ${text}`),
    debug: (text) => said.push(`debug ${text}`),
  });
  const told = (...states: AdsState[]) => {
    said.length = 0;
    for (const state of states) {
      report({ t: "connecting" });
      // Opened is not answered: a server that ends each stream at once is no better than none.
      report({ t: "connected", isAnswered: false });
      report(state);
    }
    return said.filter((line) => !line.startsWith("debug"));
  };
  const away = failed(grpcCode.unavailable, "nobody listens");
  const refused = failed(grpcCode.permissionDenied, "not you");
  const lost = "warn ADS: not connected: nobody listens; trying on, what was received stays in force";
  assert.deepEqual(told(answered, answered), ["inform ADS: connected", "inform ADS: connected"]);
  assert.deepEqual(told(away, away, away), [lost]);
  assert.equal(said.length, 3, "the other attempts are for who looks for a fault");
  assert.deepEqual(told(refused, refused), [
    "warn ADS: not connected: not you; trying on, what was received stays in force",
  ]);
  assert.deepEqual(told(answered), ["warn ADS: connected again"]);
  assert.deepEqual(told(away, away), [lost]);
});
