import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MetricRegistry } from "@weft/base/metric-registry";
import { FakeClock } from "@weft/testkit/fake-clock";
import { seededRandom } from "../cluster/cluster-fixture.ts";
import type { Exchange } from "../layer/exchange.ts";
import { ResponseFlag } from "../layer/response-flag.ts";
import { EnvoyStats } from "../telemetry/envoy-stats.ts";
import { exchange, request } from "../telemetry/exchange-fixture.ts";
import { createFaultFilter, faultFilterName, faultStats } from "./fault.ts";
import type { FaultPlan } from "./fault-plan.ts";

const always = { numerator: 100, denominator: 100 } as const;
const half = { numerator: 50, denominator: 100 } as const;

function setUp(options: Partial<FaultPlan> = {}) {
  const clock = new FakeClock();
  const stats = faultStats(new EnvoyStats(new MetricRegistry()), "in");
  const none = {
    delay: undefined,
    abort: undefined,
    headers: [],
    downstreamNodes: [],
    maxActiveFaults: undefined,
  };
  const plan: FaultPlan = { ...none, ...options };
  const filter = createFaultFilter(plan, { clock, stats, random: seededRandom(3) });
  return { clock, stats, filter, none };
}

describe("an abort", () => {
  it("answers with the status at once", () => {
    const { filter, stats } = setUp({ abort: { kind: "http", status: 503, share: always } });
    const call = exchange();
    assert.equal(filter.onRequest!(call), "stop");
    assert.deepEqual(call.recorded.replies, [
      {
        status: 503,
        body: "fault filter abort",
        details: "fault_filter_abort",
        flags: ResponseFlag.FaultInjected,
        grpcStatus: undefined,
      },
    ]);
    filter.onComplete!(call);
    assert.equal(stats.abortsInjected.value, 1);
    assert.equal(stats.activeFaults.value, 0);
  });

  it("with a gRPC status maps it for those who speak HTTP", () => {
    const { filter } = setUp({ abort: { kind: "grpc", grpcStatus: 14, share: always } });
    const call = exchange();
    filter.onRequest!(call);
    const [reply] = call.recorded.replies;
    assert.deepEqual([reply?.status, reply?.grpcStatus], [503, 14]);
  });

  it("hits its share of requests", () => {
    const { filter } = setUp({ abort: { kind: "http", status: 500, share: half } });
    let hit = 0;
    for (let i = 0; i < 2_000; i++) if (filter.onRequest!(exchange()) === "stop") hit += 1;
    assert.ok(hit > 900 && hit < 1_100, `${hit} of 2000`);
  });
});

describe("a delay", () => {
  const delay = { kind: "fixed", delayMs: 7_000, share: always } as const;

  it("holds the request for its time, then lets it go on", async () => {
    const { filter, clock, stats } = setUp({ delay });
    const call = exchange();
    assert.equal(filter.onRequest!(call), "stop");
    await clock.advance(6_999);
    assert.equal(call.recorded.resumes, 0);
    await clock.advance(1);
    assert.equal(call.recorded.resumes, 1);
    assert.equal(call.flags, ResponseFlag.DelayInjected);
    assert.equal(stats.delaysInjected.value, 1);
  });

  it("ends when the client goes away", async () => {
    const { filter, clock, stats } = setUp({ delay });
    const call = exchange();
    filter.onRequest!(call);
    filter.onComplete!(call);
    assert.equal(clock.pendingTimers, 0);
    assert.equal(stats.activeFaults.value, 0);
    await clock.advance(10_000);
    assert.equal(call.recorded.resumes, 0);
  });

  it("comes before an abort", async () => {
    const { filter, clock } = setUp({ delay, abort: { kind: "http", status: 418, share: always } });
    const call = exchange();
    filter.onRequest!(call);
    assert.equal(call.recorded.replies.length, 0);
    await clock.advance(7_000);
    assert.equal(call.recorded.replies[0]?.status, 418);
    assert.equal(call.recorded.resumes, 0);
  });
});

describe("which requests a fault meets", () => {
  const abort = { kind: "http", status: 500, share: always } as const;
  const jason = (head: { headers: { get(name: string): string | undefined } }) =>
    head.headers.get("end-user") === "jason";

  const cases: readonly (readonly [string, Partial<FaultPlan>, Record<string, string>, boolean])[] = [
    ["a matching header", { abort, headers: [jason] }, { "end-user": "jason" }, true],
    ["no such header", { abort, headers: [jason] }, {}, false],
    ["a named caller", { abort, downstreamNodes: ["n1"] }, { "x-envoy-downstream-service-node": "n1" }, true],
    [
      "another caller",
      { abort, downstreamNodes: ["n1"] },
      { "x-envoy-downstream-service-node": "n2" },
      false,
    ],
    ["a share of nothing", { abort: { ...abort, share: { numerator: 0, denominator: 100 } } }, {}, false],
  ];
  for (const [what, plan, headers, isHit] of cases) {
    it(`${what}: ${isHit ? "hit" : "spared"}`, () => {
      const { filter } = setUp(plan);
      assert.equal(filter.onRequest!(exchange({ request: request(headers) })), isHit ? "stop" : "continue");
    });
  }

  it("no more at once than allowed", () => {
    const delay = { kind: "fixed", delayMs: 1_000, share: always } as const;
    const { filter, stats } = setUp({ delay, maxActiveFaults: 1 });
    assert.equal(filter.onRequest!(exchange()), "stop");
    assert.equal(filter.onRequest!(exchange()), "continue");
    assert.equal(stats.faultsOverflow.value, 1);
  });

  it("a route's own plan replaces the filter's", () => {
    const { filter, none } = setUp({ abort });
    const call = exchange();
    const route = { filterConfigs: new Map([[faultFilterName, none]]) };
    call.match = { route, virtualHost: { name: "v" } } as unknown as Exchange["match"];
    assert.equal(filter.onRequest!(call), "continue");
  });
});

describe("faults asked for by header", () => {
  const byHeader = {
    delay: { kind: "header-controlled", share: always },
    abort: { kind: "header-controlled", share: always },
  } as const;

  it("are injected as the request says", async () => {
    const { filter, clock } = setUp(byHeader);
    const call = exchange({
      request: request({ "x-envoy-fault-delay-request": "50", "x-envoy-fault-abort-request": "429" }),
    });
    assert.equal(filter.onRequest!(call), "stop");
    await clock.advance(50);
    assert.equal(call.recorded.replies[0]?.status, 429);
  });

  it("may be asked for less often than configured, not more", () => {
    const share = { numerator: 10, denominator: 100 } as const;
    const { filter } = setUp({ abort: { kind: "header-controlled", share } });
    const hits = (percentage: string) => {
      const headers = {
        "x-envoy-fault-abort-request": "500",
        "x-envoy-fault-abort-request-percentage": percentage,
      };
      let hit = 0;
      for (let i = 0; i < 2_000; i++) {
        if (filter.onRequest!(exchange({ request: request(headers) })) === "stop") hit += 1;
      }
      return hit;
    };
    assert.equal(hits("0"), 0);
    assert.ok(hits("100") < 300, "the configured tenth is the ceiling");
  });

  for (const value of ["", "abc", "-1", "99", "600", "5e2"]) {
    it(`x-envoy-fault-abort-request: ${JSON.stringify(value)} is no status`, () => {
      const { filter } = setUp(byHeader);
      const call = exchange({ request: request({ "x-envoy-fault-abort-request": value }) });
      assert.equal(filter.onRequest!(call), "continue");
    });
  }

  it("do nothing where they are not configured", () => {
    const { filter } = setUp();
    const call = exchange({ request: request({ "x-envoy-fault-abort-request": "500" }) });
    assert.equal(filter.onRequest!(call), "continue");
  });
});
