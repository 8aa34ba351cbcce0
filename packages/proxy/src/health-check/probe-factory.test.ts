import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer, type RequestListener, type Server } from "node:http";
import { createServer as createHttp2Server, type Http2Server } from "node:http2";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { after, describe, it } from "node:test";
import { systemClock } from "@weft/base/clock";
import { freePort } from "@weft/testkit/free-port";
import { Timers } from "../net/timers.ts";
import { healthCheckPlan } from "./health-check-fixture.ts";
import type { HealthCheckPlan, HttpProbePlan, ProbePlan } from "./health-check-plan.ts";
import type { ProbeResult } from "./probe.ts";
import { probeFactory } from "./probe-factory.ts";

const timers = new Timers(systemClock);
const createProbe = probeFactory({ timers, onFault: (error) => assert.fail(String(error)) });
const closing: (() => void)[] = [];

after(() => {
  for (const close of closing) close();
  timers.close();
});

/** Checks so often in a row, as an endpoint at this port, or at each of these. */
async function check(
  ports: number | readonly number[],
  probe: ProbePlan,
  options: Partial<HealthCheckPlan> = {},
  times = 1,
) {
  const turns = [ports].flat().map((port) => ({ kind: "ip" as const, host: "127.0.0.1", port }));
  const results: ProbeResult[] = [];
  let wake = () => {};
  const one = createProbe(
    healthCheckPlan({ probe, ...options }),
    {
      address: turns[0]!,
      turns: turns.length > 1 ? turns : [],
      tls: undefined,
      hostname: "web.example",
      bindAddresses: undefined,
    },
    (result) => {
      results.push(result);
      wake();
    },
  );
  for (let i = 0; i < times; i++) {
    const answered = new Promise<void>((resolve) => {
      wake = resolve;
    });
    one.check();
    await answered;
    // As a session does, the next check comes later.
    await new Promise(setImmediate);
  }
  one.cancel();
  return results.map((result) =>
    result.kind === "healthy"
      ? result.isDegraded
        ? "degraded"
        : "healthy"
      : `${result.cause}${result.isRetriable ? " retriable" : ""}${result.isImmediate ? " immediate" : ""}`,
  );
}

async function listening(server: Server | Http2Server | ReturnType<typeof createTcpServer>): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  server.on("connection", (socket: Socket) => {
    closing.push(() => socket.destroy());
  });
  closing.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

const http = (listener: RequestListener) => listening(createHttpServer(listener));

function httpPlan(options: Partial<HttpProbePlan> = {}): HttpProbePlan {
  return {
    kind: "http",
    protocol: "http1",
    method: "GET",
    host: "",
    path: "/healthz",
    body: undefined,
    receive: [],
    bufferLimitBytes: 1024,
    headers: [],
    removedHeaders: [],
    isExpected: (status) => status === 200,
    isRetriable: () => false,
    matchesService: undefined,
    ...options,
  };
}

describe("an endpoint with several addresses", () => {
  it("is well while one of them answers", async () => {
    const tcp = await listening(createTcpServer());
    const requests = await http((_request, response) => response.end());
    const plan: ProbePlan = { kind: "tcp", send: undefined, receive: [] };
    assert.deepEqual(await check([await freePort(), tcp], plan), ["healthy"]);
    assert.deepEqual(await check([await freePort(), requests], httpPlan()), ["healthy"]);
    assert.deepEqual(await check([await freePort(), await freePort()], plan), ["network"]);
  });
});

describe("HTTP checks", () => {
  it("send what is configured", async () => {
    let seen: unknown;
    const port = await http((request, response) => {
      let body = "";
      request.on("data", (chunk) => {
        body += chunk;
      });
      request.on("end", () => {
        const { method, url, headers } = request;
        const { connection, ...rest } = headers;
        seen = { method, url, ...rest, body };
        response.end();
      });
    });
    const plan = httpPlan({
      method: "POST",
      path: "/up?x",
      body: Buffer.from("ping"),
      headers: [
        { name: "x-a", value: "1", action: "append-or-add" },
        { name: "user-agent", value: "other", action: "add-if-absent" },
      ],
    });
    assert.deepEqual(await check(port, plan), ["healthy"]);
    assert.deepEqual(seen, {
      method: "POST",
      url: "/up?x",
      host: "web.example",
      "user-agent": "Envoy/HC",
      "content-length": "4",
      "x-a": "1",
      body: "ping",
    });
    await check(port, httpPlan({ removedHeaders: ["user-agent"] }));
    assert.equal((seen as Record<string, unknown>)["user-agent"], undefined);
  });

  const answers: readonly {
    readonly name: string;
    readonly status?: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
    readonly plan?: Partial<HttpProbePlan>;
    readonly expected: string;
  }[] = [
    { name: "200", expected: "healthy" },
    { name: "503", status: 503, expected: "active" },
    { name: "204", status: 204, expected: "active" },
    { name: "an expected 204", status: 204, plan: { isExpected: (s) => s === 204 }, expected: "healthy" },
    {
      name: "a retriable 503",
      status: 503,
      plan: { isRetriable: (s) => s === 503 },
      expected: "active retriable",
    },
    { name: "x-envoy-degraded", headers: { "x-envoy-degraded": "" }, expected: "degraded" },
    {
      name: "x-envoy-immediate-health-check-fail with an error",
      status: 503,
      headers: { "x-envoy-immediate-health-check-fail": "true" },
      expected: "active immediate",
    },
    {
      name: "x-envoy-immediate-health-check-fail with a success",
      headers: { "x-envoy-immediate-health-check-fail": "true" },
      expected: "healthy",
    },
    {
      name: "the body's parts in order",
      body: "a OK b UP c",
      plan: { receive: [Buffer.from("OK"), Buffer.from("UP")] },
      expected: "healthy",
    },
    {
      name: "the body's parts in another order",
      body: "UP OK",
      plan: { receive: [Buffer.from("OK"), Buffer.from("UP")] },
      expected: "active",
    },
    {
      name: "a part beyond the buffer",
      body: `${"x".repeat(30)}OK`,
      plan: { receive: [Buffer.from("OK")], bufferLimitBytes: 31 },
      expected: "active",
    },
    {
      name: "the service it should be",
      headers: { "x-envoy-upstream-healthchecked-cluster": "web-v1" },
      plan: { matchesService: (name) => name.startsWith("web") },
      expected: "healthy",
    },
    { name: "no service", plan: { matchesService: (name) => name.startsWith("web") }, expected: "active" },
  ];
  for (const { name, status = 200, headers = {}, body = "", plan, expected } of answers) {
    for (const protocol of ["http1", "http2"] as const) {
      it(`take ${name} over ${protocol} as ${expected}`, async () => {
        const server =
          protocol === "http1"
            ? createHttpServer((_, response) => response.writeHead(status, headers).end(body))
            : createHttp2Server((_, response) => response.writeHead(status, headers).end(body));
        const port = await listening(server);
        // Twice: the second one on a connection that has been used.
        assert.deepEqual(await check(port, httpPlan({ ...plan, protocol }), {}, 2), [expected, expected]);
      });
    }
  }

  for (const [reusesConnection, connections] of [
    [true, 1],
    [false, 3],
  ] as const) {
    it(`use ${connections} connections for three checks with reuse_connection ${reusesConnection}`, async () => {
      const server = createHttpServer((_, response) => response.end());
      let count = 0;
      server.on("connection", () => {
        count += 1;
      });
      await check(await listening(server), httpPlan(), { reusesConnection }, 3);
      assert.equal(count, connections);
    });
  }

  it("connect again when the endpoint closes", async () => {
    const port = await http((_, response) => response.setHeader("connection", "close").end());
    assert.deepEqual(await check(port, httpPlan(), {}, 3), ["healthy", "healthy", "healthy"]);
  });

  it("take a connection that is refused, cut or speaks something else as a network failure", async () => {
    assert.deepEqual(await check(await freePort(), httpPlan(), {}, 2), ["network", "network"]);
    const cut = await listening(createTcpServer((socket) => socket.destroy()));
    assert.deepEqual(await check(cut, httpPlan(), {}, 2), ["network", "network"]);
    const other = await listening(createTcpServer((socket) => socket.write("SSH-2.0\r\n\r\n")));
    assert.deepEqual(await check(other, httpPlan()), ["network"]);
  });
});

describe("TCP checks", () => {
  const plan = (send?: string, ...receive: string[]): ProbePlan => ({
    kind: "tcp",
    send: send === undefined ? undefined : Buffer.from(send),
    receive: receive.map((text) => Buffer.from(text)),
  });

  it("are content with a connection where no payload is given", async () => {
    assert.deepEqual(await check(await listening(createTcpServer()), plan(), {}, 2), ["healthy", "healthy"]);
    assert.deepEqual(await check(await freePort(), plan()), ["network"]);
  });

  it("send, and wait for the parts in order however they arrive", async () => {
    const server = createTcpServer((socket) => {
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.on("data", (data) => {
        for (const byte of `${data}: +PO`) socket.write(byte);
        setImmediate(() => socket.write("NG done"));
      });
    });
    const port = await listening(server);
    assert.deepEqual(await check(port, plan("PING", "+PONG", "done"), {}, 3), [
      "healthy",
      "healthy",
      "healthy",
    ]);
  });

  it("fail when the endpoint closes without them", async () => {
    const port = await listening(createTcpServer((socket) => socket.end("NO")));
    assert.deepEqual(await check(port, plan(undefined, "YES")), ["network"]);
  });
});

describe("gRPC checks", () => {
  const grpc = (answer: { readonly message?: Buffer; readonly status?: string; readonly http?: number }) => {
    const server = createHttp2Server();
    server.on("stream", (stream, headers) => {
      const received: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => received.push(chunk));
      stream.on("end", () => {
        const asked = Buffer.concat(received).subarray(7).toString();
        const isFrame =
          headers[":path"] === "/grpc.health.v1.Health/Check" &&
          headers["content-type"] === "application/grpc";
        stream.on("wantTrailers", () =>
          stream.sendTrailers({ "grpc-status": isFrame ? (answer.status ?? "0") : "13" }),
        );
        stream.respond(
          { ":status": answer.http ?? 200, "content-type": "application/grpc" },
          { waitForTrailers: true },
        );
        stream.end(answer.message ?? frame(0x08, asked === "known" ? 1 : 3));
      });
    });
    return listening(server);
  };
  const frame = (...bytes: number[]) => Buffer.from([0, 0, 0, 0, bytes.length, ...bytes]);
  const plan = (serviceName = "known"): ProbePlan => ({
    kind: "grpc",
    serviceName,
    authority: "",
    headers: [],
  });

  const cases = [
    { name: "SERVING", answer: {}, expected: "healthy" },
    { name: "NOT_SERVING", answer: { message: frame(0x08, 2) }, expected: "active" },
    { name: "an error", answer: { status: "12" }, expected: "active" },
    { name: "an HTTP error", answer: { http: 503 }, expected: "active" },
    {
      name: "a message that is none",
      answer: { message: Buffer.from([0, 0, 0, 0, 9, 8, 1]) },
      expected: "active",
    },
    {
      name: "unknown fields beside it",
      answer: { message: frame(0x12, 1, 65, 0x08, 1) },
      expected: "healthy",
    },
  ];
  for (const { name, answer, expected } of cases) {
    it(`take ${name} as ${expected}`, async () => {
      assert.deepEqual(await check(await grpc(answer), plan(), {}, 2), [expected, expected]);
    });
  }

  it("ask for the service that is configured", async () => {
    assert.deepEqual(await check(await grpc({}), plan("other")), ["active"]);
  });

  it("take a connection that is refused as a network failure", async () => {
    assert.deepEqual(await check(await freePort(), plan()), ["network"]);
  });
});
