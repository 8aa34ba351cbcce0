import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { afterEach, describe, it } from "node:test";
import { freePort } from "@weft/testkit/free-port";
import type { Exchange } from "../layer/exchange.ts";
import { formatResponseFlags } from "../layer/response-flag.ts";
import type { HttpConnectionPlan } from "../listener/listener-plan.ts";
import {
  chainPlan,
  clusterPlan,
  forwardTo,
  httpPlan,
  listenerPlan,
  retryPlan,
  routesTo,
  startTestProxy,
  type TestProxy,
} from "../listener/test-proxy.ts";
import { RawClient, startServer } from "../listener/test-raw-client.ts";
import { routeLimits } from "../route/call-limits.ts";
import { defaultRetryPlan } from "../route/retry-plan.ts";
import type { ForwardAction } from "../route/route-plan.ts";

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** An upstream that answers the n-th request (from 1) with `answer(n, socket)`. */
async function upstream(answer: (request: number, socket: Socket, text: string) => void) {
  const requests: string[] = [];
  const server = await startServer((socket) => {
    let text = "";
    socket.on("end", () => socket.end());
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      const end = text.indexOf("\r\n\r\n");
      if (end < 0) return;
      const length = Number(/content-length: (\d+)/.exec(text)?.[1] ?? 0);
      if (text.length < end + 4 + length) return;
      requests.push(text);
      const whole = text;
      text = "";
      answer(requests.length, socket, whole);
    });
  });
  closers.push(() => server.close());
  return { address: server.address, requests };
}

const ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const busy = "HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy";

interface Case {
  readonly proxy: TestProxy;
  readonly logged: Exchange[];
  ask(text: string): Promise<string>;
}

async function proxyTo(
  address: Parameters<typeof clusterPlan>[0],
  action: Partial<ForwardAction>,
  cluster: Parameters<typeof clusterPlan>[1] = {},
  http: Partial<HttpConnectionPlan> = {},
): Promise<Case> {
  const logged: Exchange[] = [];
  const plan = httpPlan({
    routes: routesTo(forwardTo("upstream", action)),
    accessLogs: [{ log: (exchange) => void logged.push(exchange) }],
    ...http,
  });
  const proxy = await startTestProxy([listenerPlan([chainPlan(plan)])], [clusterPlan(address, cluster)]);
  closers.push(() => proxy.close());
  return {
    proxy,
    logged,
    async ask(text) {
      const client = await RawClient.connect(proxy.port());
      closers.push(() => client.close());
      client.send(text);
      const before = logged.length;
      await client.until(() => logged.length > before && client.text !== "");
      return client.text;
    },
  };
}

const get = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
const post = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody";

function outcome(exchange: Exchange): string {
  return `${exchange.response?.status ?? 0} ${formatResponseFlags(exchange.flags)} ${exchange.details}`;
}

describe("the router", () => {
  it("tries again when the policy asks for it, body included", async () => {
    const up = await upstream((n, socket) => socket.write(n === 1 ? busy : ok));
    const { ask, logged, proxy } = await proxyTo([up.address], { retry: retryPlan({ is5xx: true }) });
    assert.match(await ask(post), /^HTTP\/1.1 200 .*\r\n\r\nok$/s);
    assert.equal(up.requests.length, 2);
    assert.ok(up.requests.every((request) => request.endsWith("\r\n\r\nbody")));
    assert.equal(logged[0]!.attempts, 2);
    assert.equal(proxy.metric("envoy_cluster_upstream_rq_retry_success"), 1);
  });

  it("passes the last answer on when the tries are used up", async () => {
    const up = await upstream((_, socket) => socket.write(busy));
    const { ask, logged } = await proxyTo([up.address], {
      retry: retryPlan({ is5xx: true }, { numRetries: 2 }),
    });
    assert.match(await ask(get), /^HTTP\/1.1 503 .*busy$/s);
    assert.equal(up.requests.length, 3);
    assert.equal(outcome(logged[0]!), "503 URX via_upstream");
  });

  it("does not try again without a policy", async () => {
    const up = await upstream((_, socket) => socket.end());
    const { ask, logged } = await proxyTo([up.address], {});
    assert.match(
      await ask(get),
      /^HTTP\/1.1 503 .*upstream connect error or disconnect\/reset before headers. reset reason: connection termination$/s,
    );
    assert.equal(up.requests.length, 1);
    assert.equal(
      outcome(logged[0]!),
      "503 UC upstream_reset_before_response_started{connection_termination}",
    );
  });

  it("does not send a body again that was too large to keep", async () => {
    const up = await upstream((_, socket) => socket.write(busy));
    const { ask } = await proxyTo([up.address], { retry: retryPlan({ is5xx: true }) });
    const body = "x".repeat(1_500_000);
    const text = await ask(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    assert.match(text, /^HTTP\/1.1 503 .*busy$/s);
    assert.equal(up.requests.length, 1);
  });

  for (const [method, sends, status] of [
    ["GET", 2, 200],
    ["POST", 1, 503],
  ] as const) {
    it(`${sends === 2 ? "repeats" : "does not repeat"} a ${method} the upstream met by closing a reused connection`, async () => {
      const up = await upstream((n, socket) => {
        if (n === 2) socket.end();
        else socket.write(ok);
      });
      const { ask, logged } = await proxyTo([up.address], {});
      await ask(get);
      const answer = await ask(`${method} / HTTP/1.1\r\nhost: x\r\n\r\n`);
      assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `));
      assert.equal(up.requests.length, 1 + sends);
      assert.equal(logged[1]!.response?.status, status);
    });
  }

  it("goes to another endpoint when the first refuses the connection", async () => {
    const dead = { kind: "ip", host: "127.0.0.1", port: await freePort() } as const;
    const up = await upstream((_, socket) => socket.write(ok));
    const { ask, logged } = await proxyTo([dead, up.address, dead], {
      retry: retryPlan(
        { connectFailure: true },
        { placement: { ...defaultRetryPlan.placement, avoidsPrevious: true } },
      ),
    });
    assert.match(await ask(get), /^HTTP\/1.1 200 /);
    assert.match(await ask(get), /^HTTP\/1.1 200 /);
    assert.ok(logged.some(({ attempts }) => attempts > 1));
  });

  it("answers at the route's timeout", async () => {
    const up = await upstream(() => {});
    const { ask, logged, proxy } = await proxyTo([up.address], { limits: routeLimits(30, undefined, false) });
    assert.match(await ask(get), /^HTTP\/1.1 504 .*upstream request timeout$/s);
    assert.equal(outcome(logged[0]!), "504 UT response_timeout");
    assert.equal(proxy.metric("envoy_cluster_upstream_rq_active"), 0);
  });

  it("gives each try its own timeout", async () => {
    const up = await upstream((n, socket) => {
      if (n === 2) socket.write(ok);
    });
    const { ask, logged, proxy } = await proxyTo([up.address], {
      retry: retryPlan({ is5xx: true }, { perTryTimeoutMs: 30 }),
    });
    assert.match(await ask(get), /^HTTP\/1.1 200 /);
    assert.equal(logged[0]!.attempts, 2);
    assert.equal(proxy.metric("envoy_cluster_upstream_rq_per_try_timeout"), 1);
  });

  it("refuses what the circuit breakers do not admit", async () => {
    const waiting: Socket[] = [];
    const up = await upstream((_, socket) => void waiting.push(socket));
    const limits = {
      maxConnections: 1,
      maxPendingRequests: 1,
      maxRequests: 1,
      maxRetries: 0,
      retryBudgetPercent: 20,
      minRetryConcurrency: 0,
    };
    const { ask, logged } = await proxyTo([up.address], {}, { breakers: { default: limits, high: limits } });
    const first = ask(get);
    while (waiting.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const second = await ask(get);
    assert.match(second, /^HTTP\/1.1 503 .*x-envoy-overloaded: true.*reset reason: overflow$/s);
    assert.equal(outcome(logged[0]!), "503 UO upstream_reset_before_response_started{overflow}");
    waiting[0]!.write(ok);
    assert.match(await first, /^HTTP\/1.1 200 /);
  });

  it("names why it could not forward", async () => {
    const { ask, logged } = await proxyTo([], {});
    assert.match(await ask(get), /^HTTP\/1.1 503 .*no healthy upstream$/s);
    assert.equal(outcome(logged[0]!), "503 UH no_healthy_upstream");
    const lost = await proxyTo([], {
      selectCluster: () => ({
        cluster: "gone",
        subset: undefined,
        requestEdits: undefined,
        responseEdits: undefined,
      }),
    });
    assert.match(await lost.ask(get), /^HTTP\/1.1 503 /);
    assert.equal(outcome(lost.logged[0]!), "503 NC cluster_not_found");
    const unrouted = await proxyTo([], {}, {}, { routes: { current: undefined } });
    assert.match(await unrouted.ask(get), /^HTTP\/1.1 404 /);
    assert.equal(outcome(unrouted.logged[0]!), "404 NR route_not_found");
  });

  it("sends what is said once per connection with the first request only", async () => {
    const up = await upstream((_, socket) => socket.write(ok));
    const filter = {
      name: "test",
      onRequest(exchange: Exchange) {
        exchange.upstreamConnectionHeaders = ["x-envoy-peer-metadata-id", "me"];
        return "continue" as const;
      },
    };
    const { filters } = httpPlan();
    const { ask } = await proxyTo([up.address], {}, {}, { filters: [filter, ...filters] });
    await ask(get);
    await ask(get);
    assert.deepEqual(
      up.requests.map((request) => request.includes("x-envoy-peer-metadata-id: me")),
      [true, false],
    );
  });

  it("counts attempts for the upstream only where configured", async () => {
    const up = await upstream((n, socket) => socket.write(n === 1 ? busy : ok));
    const { current } = routesTo(forwardTo("upstream", { retry: retryPlan({ is5xx: true }) }));
    const routes = {
      current: {
        ...current!,
        name: "counting",
        match: (...args: Parameters<NonNullable<typeof current>["match"]>) => {
          const match = current!.match(...args)!;
          return { ...match, virtualHost: { name: "all", includesRequestAttemptCount: true } };
        },
      },
    };
    const { ask } = await proxyTo([up.address], {}, {}, { routes });
    await ask(get);
    assert.deepEqual(
      up.requests.map((request) => /x-envoy-attempt-count: (\d)/.exec(request)?.[1]),
      ["1", "2"],
    );
  });

  it("lets idle connections go when their endpoint leaves", async () => {
    const sockets: Socket[] = [];
    const up = await upstream((_, socket) => {
      sockets.push(socket);
      socket.write(ok);
    });
    const { ask, proxy } = await proxyTo([up.address], {});
    await ask(get);
    const closed = new Promise<void>((resolve) => sockets[0]!.once("close", () => resolve()));
    proxy.clusters.removeCluster("upstream");
    await closed;
  });
});
