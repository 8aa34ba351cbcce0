import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { MetricRegistry } from "@weft/base/metric-registry";
import { FakeClock } from "@weft/testkit/fake-clock";
import type { NetworkFilter } from "../layer/network-filter.ts";
import type { AnswerPlan, TcpProxyPlan } from "../listener/listener-plan.ts";
import { chainPlan, clusterPlan, listenerPlan, startTestProxy, tcpPlan } from "../listener/test-proxy.ts";
import { RawClient, startServer } from "../listener/test-raw-client.ts";
import { EnvoyStats } from "../telemetry/envoy-stats.ts";
import { createConnectionLimitFilter } from "./connection-limit.ts";
import { createConnectionRateLimitFilter } from "./connection-rate-limit.ts";
import { createSniClusterFilter } from "./sni-cluster.ts";

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const clock = new FakeClock();
const stats = () => new EnvoyStats(new MetricRegistry());
const nowhere: AnswerPlan = { kind: "echo" };

async function serve(filter: NetworkFilter | undefined, terminal: AnswerPlan | TcpProxyPlan = nowhere) {
  const named = await startServer((socket) => socket.write("named"));
  const networkFilters = filter ? [filter] : [];
  const proxy = await startTestProxy(
    [listenerPlan([chainPlan(terminal, { networkFilters })])],
    [clusterPlan([named.address], { name: "named.example" })],
    { clock },
  );
  closers.push(
    () => named.close(),
    () => proxy.close(),
  );
  return async () => {
    const client = await RawClient.connect(proxy.port());
    closers.push(() => client.close());
    return client.send("hello");
  };
}

describe("a connection limit", () => {
  const limit = (delayMs: number, isEnabled = true) =>
    createConnectionLimitFilter({ name: "l", maxConnections: 1, delayMs, isEnabled }, "l", stats());

  it("refuses a second connection until the first is gone", async () => {
    const connect = await serve(limit(0));
    const first = await connect();
    await first.until(/hello/);
    assert.equal(await (await connect()).untilClosed(), "");
    first.close();
    for (;;) {
      const next = await connect();
      await next.until((client) => client.text === "hello" || client.isClosed).catch(() => {});
      if (next.text === "hello") break;
    }
  });

  it("keeps a refused connection waiting as long as it is told to", async () => {
    const connect = await serve(limit(1_000));
    await (await connect()).until(/hello/);
    const second = await connect();
    while (clock.pendingTimers === 0) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(999);
    assert.equal(second.isClosed, false);
    await clock.advance(1);
    assert.equal(await second.untilClosed(), "");
  });

  it("lets everything in while it is off", async () => {
    const connect = await serve(limit(0, false));
    await (await connect()).until(/hello/);
    await (await connect()).until(/hello/);
  });
});

it("a connection rate limit refuses what comes before its bucket has filled again", async () => {
  const plan = { name: "r", maxTokens: 2, tokensPerFill: 1, fillIntervalMs: 1_000, isEnabled: true };
  const connect = await serve(createConnectionRateLimitFilter(plan, "r", clock, stats()));
  await (await connect()).until(/hello/);
  await (await connect()).until(/hello/);
  assert.equal(await (await connect()).untilClosed(), "");
  await clock.advance(1_000);
  await (await connect()).until(/hello/);
  assert.equal(await (await connect()).untilClosed(), "");
});

it("a direct response is all a client gets", async () => {
  const connect = await serve(undefined, { kind: "direct-response", body: Buffer.from("closed today") });
  assert.equal(await (await connect()).untilClosed(), "closed today");
});

it("an SNI cluster serves by the name asked for, and a connection without one by the plan's cluster", async () => {
  const filter = createSniClusterFilter("sni");
  const asked = (requestedServerName: string) => {
    const connection = { requestedServerName } as Parameters<NetworkFilter["onConnection"]>[0];
    assert.equal(filter.onConnection(connection), true);
    return connection.clusterName;
  };
  assert.equal(asked("named.example"), "named.example");
  assert.equal(asked(""), undefined);
  const choose: TcpProxyPlan["selectCluster"] = (_random, named) => ({
    cluster: named ?? "absent",
    subset: undefined,
  });
  const naming: NetworkFilter = {
    name: "names",
    onConnection(connection) {
      connection.clusterName = "named.example";
      return true;
    },
  };
  const connect = await serve(naming, tcpPlan({ selectCluster: choose }));
  await (await connect()).until(/named/);
});
