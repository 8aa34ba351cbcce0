import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { afterEach, describe, it } from "node:test";
import { FakeClock } from "@weft/testkit/fake-clock";
import type { Exchange } from "../layer/exchange.ts";
import { formatResponseFlags } from "../layer/response-flag.ts";
import type { HttpConnectionPlan } from "./listener-plan.ts";
import {
  chainPlan,
  clusterPlan,
  forwardTo,
  httpPlan,
  listenerPlan,
  routesTo,
  startTestProxy,
} from "./test-proxy.ts";
import { RawClient, startServer } from "./test-raw-client.ts";

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(
  serve: (socket: Socket) => void,
  plan: Partial<HttpConnectionPlan> = {},
  bufferLimitBytes = 1 << 20,
  clock?: FakeClock,
) {
  const up = await startServer(serve);
  const logged: Exchange[] = [];
  const http = httpPlan({ accessLogs: [{ log: (exchange) => void logged.push(exchange) }], ...plan });
  const proxy = await startTestProxy(
    [listenerPlan([chainPlan(http)], { bufferLimitBytes })],
    [clusterPlan([up.address], { bufferLimitBytes })],
    clock ? { clock } : {},
  );
  const client = await RawClient.connect(proxy.port());
  closers.push(
    () => up.close(),
    () => proxy.close(),
    () => client.close(),
  );
  return { client, logged, proxy };
}

/** Answers each request with its own path. */
function echoPath(socket: Socket): void {
  socket.on("data", (chunk: Buffer) => {
    for (const [, path] of chunk.toString("latin1").matchAll(/^[A-Z]+ (\S+) HTTP/gm)) {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${path!.length}\r\n\r\n${path}`);
    }
  });
}

const host = "host: x\r\n\r\n";

describe("an HTTP connection", () => {
  it("ends by age with its next answer only, where it must be safe", async () => {
    const clock = new FakeClock();
    const plan = { maxConnectionDurationMs: 1_000, keepsIdleAtMaxDuration: true };
    const { client, proxy } = await start(echoPath, plan, 1 << 20, clock);
    client.send(`GET /1 HTTP/1.1\r\n${host}`);
    assert.doesNotMatch(await client.until(/\/1$/), /connection: close/);
    await clock.advance(100_000);
    assert.equal(proxy.metric("envoy_http_downstream_cx_max_duration_reached"), 1);
    client.send(`GET /2 HTTP/1.1\r\n${host}`);
    assert.match(await client.untilClosed(), /connection: close\r\n.*\/2$/s);
  });

  it("answers pipelined requests in order", async () => {
    const { client } = await start(echoPath);
    client.send(["/1", "/2", "/3"].map((path) => `GET ${path} HTTP/1.1\r\n${host}`).join(""));
    const text = await client.until(/\/3$/);
    assert.deepEqual(text.match(/\r\n\r\n(\/\d)/g), ["\r\n\r\n/1", "\r\n\r\n/2", "\r\n\r\n/3"]);
  });

  it("keeps going after HEAD, 204 and 304, which have no body", async () => {
    const { client } = await start((socket) => {
      socket.on("data", (chunk: Buffer) => {
        const path = /^\w+ \/(\d+)/.exec(chunk.toString("latin1"))![1];
        socket.write(`HTTP/1.1 ${path} X\r\n${path === "200" ? "content-length: 5\r\n" : ""}\r\n`);
      });
    });
    client.send(`HEAD /200 HTTP/1.1\r\n${host}GET /204 HTTP/1.1\r\n${host}GET /304 HTTP/1.1\r\n${host}`);
    await client.until(/200 OK.*content-length: 5.*204 No Content.*304 Not Modified.*\r\n\r\n$/s);
  });

  it("streams a body of unknown length both ways in chunks", async () => {
    const { client } = await start((socket) => {
      let text = "";
      socket.on("data", (chunk: Buffer) => {
        text += chunk.toString("latin1");
        if (!text.endsWith("0\r\n\r\n")) return;
        const body = text.slice(text.indexOf("\r\n\r\n") + 4);
        socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        socket.write(`${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`);
      });
    });
    client.send(`POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2;a=b\r\nab\r\n`);
    client.send("3\r\ncde\r\n0\r\n\r\n");
    assert.match(await client.until(/0\r\n\r\n\r\n0\r\n\r\n$/), /transfer-encoding: chunked\r\n/);
  });

  it("passes trailers where they are enabled and drops them elsewhere", async () => {
    for (const keepsTrailers of [true, false]) {
      let seen = "";
      const up = await startServer((socket) => {
        socket.on("data", (chunk: Buffer) => {
          seen += chunk.toString("latin1");
          if (!/0\r\n(.*\r\n)?\r\n$/s.test(seen)) return;
          socket.write(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx-sum: 2\r\n\r\n",
          );
        });
      });
      const proxy = await startTestProxy(
        [listenerPlan([chainPlan(httpPlan({ keepsTrailers }))])],
        [clusterPlan([up.address], { keepsTrailers })],
      );
      const client = await RawClient.connect(proxy.port());
      closers.push(
        () => up.close(),
        () => proxy.close(),
        () => client.close(),
      );
      client.send(
        "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx-sum: 1\r\n\r\n",
      );
      const text = await client.until(/0\r\n(x-sum: 2\r\n)?\r\n$/);
      assert.equal(text.includes("x-sum: 2"), keepsTrailers);
      assert.equal(seen.includes("x-sum: 1"), keepsTrailers);
    }
  });

  it("tells a client that asks to go on, before the upstream is asked anything", async () => {
    const { client } = await start((socket) => {
      let text = "";
      socket.on("data", (chunk: Buffer) => {
        text += chunk.toString("latin1");
        assert.doesNotMatch(text, /^expect:/m);
        if (text.endsWith("abc")) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
      });
    });
    client.send("POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n");
    await client.until(/^HTTP\/1.1 100 Continue\r\n\r\n$/);
    client.send("abc");
    await client.until(/HTTP\/1.1 200 OK/);
  });

  it("carries a websocket both ways once the upstream has agreed", async () => {
    const { client } = await start(
      (socket) => {
        let isOpen = false;
        socket.on("data", (chunk: Buffer) => {
          if (isOpen) socket.write(`echo ${chunk.toString()}`);
          else {
            assert.match(chunk.toString(), /connection: upgrade\r\nupgrade: websocket\r\n/);
            isOpen = true;
            socket.write(
              "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n",
            );
          }
        });
      },
      { upgrades: new Map([["websocket", true]]) },
    );
    client.send("GET / HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\nearly");
    await client.until(/101 Switching Protocols\r\n.*upgrade: websocket\r\n\r\necho early$/s);
    client.send("late");
    await client.until(/echo late$/);
  });

  it("refuses an upgrade that is not allowed", async () => {
    const { client } = await start(echoPath);
    client.send("GET / HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n");
    assert.match(await client.untilClosed(), /^HTTP\/1.1 403 Forbidden\r\n/);
  });

  it("speaks HTTP/1.0 where allowed: body up to the close, kept alive only when asked", async () => {
    const { client } = await start(
      (socket) =>
        socket.on("data", () =>
          socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        ),
      { acceptHttp10: true },
    );
    client.send("GET / HTTP/1.0\r\nhost: x\r\nconnection: keep-alive\r\n\r\n");
    const text = await client.untilClosed();
    assert.match(text, /connection: close\r\n\r\nok$/);
    assert.ok(!text.includes("transfer-encoding"));
  });

  it("closes after the answer when the client asks for it, or when its body is broken", async () => {
    const { client } = await start(echoPath);
    client.send("GET /a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert.match(await client.untilClosed(), /connection: close\r\n\r\n\/a$/);
    const { client: other, logged } = await start(() => {});
    other.send("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n");
    assert.match(
      await other.untilClosed(),
      /^HTTP\/1.1 400 Bad Request\r\n.*connection: close\r\n\r\nBad Request$/s,
    );
    assert.deepEqual(
      logged.map((e) => `${formatResponseFlags(e.flags)} ${e.details}`),
      ["DPE http1.codec_error"],
    );
  });

  it("is reset, not ended, when a body that lasts until the close is cut short", async () => {
    const { client } = await start((socket) => {
      socket.on("data", () => {
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc");
        setImmediate(() => socket.end());
      });
    });
    client.send(`GET / HTTP/1.1\r\n${host}`);
    const text = await client.untilClosed();
    assert.match(text, /content-length: 10.*\r\n\r\nabc$/s);
  });

  it("logs a client that went away, and lets the upstream go", async () => {
    let upstreamClosed: () => void = () => {};
    const closed = new Promise<void>((resolve) => {
      upstreamClosed = resolve;
    });
    let hasRequest: () => void = () => {};
    const requested = new Promise<void>((resolve) => {
      hasRequest = resolve;
    });
    const { client, logged, proxy } = await start((socket) => {
      socket.on("data", hasRequest);
      socket.on("end", upstreamClosed);
    });
    client.send(`GET / HTTP/1.1\r\n${host}`);
    await requested;
    client.close();
    await closed;
    assert.equal(
      `${formatResponseFlags(logged[0]!.flags)} ${logged[0]!.details}`,
      "DC downstream_remote_disconnect",
    );
    assert.equal(proxy.metric("envoy_cluster_upstream_rq_active"), 0);
    assert.equal(proxy.metric("envoy_http_downstream_rq_active"), 0);
  });

  it("holds little of a response the client does not read", async () => {
    const total = 32 * 1024 * 1024;
    let written = 0;
    const { client, proxy } = await start(
      (socket) => {
        const chunk = Buffer.alloc(64 * 1024, "x");
        const pump = () => {
          while (written < total) {
            written += chunk.length;
            if (!socket.write(chunk)) {
              socket.once("drain", pump);
              return;
            }
          }
        };
        socket.once("data", () => {
          socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${total}\r\n\r\n`);
          pump();
        });
      },
      {},
      64 * 1024,
    );
    let received = 0;
    client.socket.removeAllListeners("data");
    client.socket.pause();
    client.send(`GET / HTTP/1.1\r\n${host}`);
    let last = -1;
    for (let still = 0; still < 20; ) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      still = written === last ? still + 1 : 0;
      last = written;
    }
    const taken = proxy.metric("envoy_cluster_upstream_cx_rx_bytes_total");
    assert.ok(written < total, `the upstream could write ${written} bytes (${taken} counted)`);
    client.socket.on("data", (chunk: Buffer) => {
      received += chunk.length;
    });
    client.socket.resume();
    while (received < total) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(written, total);
  });

  it("lets a filter delay a request, its body waiting, and carry on", async () => {
    let release: () => void = () => {};
    const delay = {
      name: "delay",
      onRequest(exchange: Exchange) {
        release = () => exchange.resume();
        return "stop" as const;
      },
    };
    let seen = "";
    const { client } = await start(
      (socket) => {
        socket.on("data", (chunk: Buffer) => {
          seen += chunk.toString("latin1");
          if (seen.endsWith("abc")) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        });
      },
      { filters: [delay, ...httpPlan().filters], routes: routesTo(forwardTo("upstream")) },
    );
    client.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc");
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(seen, "");
    release();
    await client.until(/200 OK/);
  });

  it("times out a head, a request and a silent stream, each by its own name", async () => {
    for (const [plan, request, answer, details] of [
      [{ requestHeadersTimeoutMs: 20 }, "GET / HTTP/1.1\r\n", /^HTTP\/1.1 408 /, "request_header_timeout"],
      [
        { requestTimeoutMs: 20 },
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\n",
        /^HTTP\/1.1 408 .*request timeout$/s,
        "request_overall_timeout",
      ],
      [
        { streamIdleTimeoutMs: 20 },
        `GET / HTTP/1.1\r\n${host}`,
        /^HTTP\/1.1 504 .*stream timeout$/s,
        "stream_idle_timeout",
      ],
    ] as const) {
      const { client, logged } = await start(() => {}, plan);
      client.send(request);
      await client.until(answer);
      assert.equal(logged[0]!.details, details);
    }
  });
});
