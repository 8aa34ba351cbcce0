import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Jaeger, jaegerProgram, startJaeger } from "@weft/testkit/jaeger";
import { envoy, startEnvoy, startWeft } from "../filters/side-by-side-fixture.ts";
import { eventually, type TracingSetup, tracingBootstrap } from "./test-tracing.ts";

const withPeers = {
  skip: !jaegerProgram ? "no Jaeger found" : envoy ? false : "no Envoy found",
} as const;

interface JaegerSpan {
  readonly spanID: string;
  readonly operationName: string;
  readonly processID: string;
  readonly references: readonly { readonly refType: string; readonly spanID: string }[];
  readonly tags: readonly { readonly key: string; readonly value: unknown }[];
}

interface JaegerTrace {
  readonly spans: readonly JaegerSpan[];
  readonly processes: Readonly<Record<string, { readonly serviceName: string }>>;
}

interface Running {
  readonly ports: ReadonlyMap<string, number>;
  close(): Promise<unknown>;
}

const directory = mkdtempSync(join(tmpdir(), "weft-jaeger-"));
let jaeger: Jaeger;
let application: Server;
/** How the application was called, as it tells of it. */
const heard: string[] = [];

function get(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { host: "callee.example", "user-agent": "test/1" };
    const call = request({ host: "127.0.0.1", port, path: "/a", headers, agent: false }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
    });
    call.on("error", reject);
    call.end();
  });
}

before(async () => {
  if (withPeers.skip) return;
  application = createServer((message, response) => {
    heard.push(String(message.headers.traceparent));
    response.end("hi");
  });
  await new Promise<void>((resolve) => application.listen(0, "127.0.0.1", resolve));
  jaeger = await startJaeger();
});

after(() => {
  jaeger?.close();
  application?.closeAllConnections();
  application?.close();
  rmSync(directory, { recursive: true });
});

const planes = {
  weft: startWeft,
  envoy: (bootstrap: string) => startEnvoy(bootstrap, mkdtempSync(join(directory, "envoy-"))),
} as const;
type Plane = keyof typeof planes;

let calls = 0;

/** One call through a proxy for the caller and one for the callee; its trace as Jaeger has it. */
async function trace(caller: Plane, callee: Plane, exporter: TracingSetup["exporter"]): Promise<JaegerTrace> {
  calls += 1;
  const name = `${calls}`;
  const common = {
    collectorPort: exporter === "http" ? jaeger.httpPort : jaeger.grpcPort,
    exporter,
  } as const;
  const running: Running[] = [];
  const start = async (plane: Plane, serviceName: string, upstreamPort: number) => {
    const proxy = await planes[plane](tracingBootstrap({ ...common, serviceName, upstreamPort }));
    running.push(proxy);
    return proxy.ports;
  };
  try {
    const inner = await start(callee, `callee-${name}`, (application.address() as AddressInfo).port);
    const outer = await start(caller, `caller-${name}`, inner.get("in")!);
    assert.equal(await get(outer.get("out")!), 200);
    const traces = await eventually(
      async () => {
        const url = `${jaeger.queryUrl}/api/traces?service=caller-${name}`;
        return ((await (await fetch(url)).json()) as { readonly data: readonly JaegerTrace[] }).data ?? [];
      },
      ([first]) => first?.spans.length === 2,
    );
    assert.equal(traces.length, 1);
    return traces[0]!;
  } finally {
    for (const proxy of running.reverse()) await proxy.close();
  }
}

function spanOf({ spans, processes }: JaegerTrace, service: string): JaegerSpan {
  const found = spans.find(({ processID }) => processes[processID]!.serviceName.startsWith(service));
  assert.ok(found, `no span of ${service}`);
  return found;
}

/** What differs from call to call, or says which library it was. */
const varying = /^(guid:x-request-id|upstream_address|internal\..*|otel\..*|custom\.environment)$/;

function tagsOf(span: JaegerSpan): Map<string, unknown> {
  return new Map(span.tags.filter(({ key }) => !varying.test(key)).map(({ key, value }) => [key, value]));
}

const chains: readonly [Plane, Plane, TracingSetup["exporter"]][] = [
  ["weft", "weft", "grpc"],
  ["weft", "weft", "http"],
  ["weft", "envoy", "grpc"],
  ["envoy", "weft", "grpc"],
];

for (const [caller, callee, exporter] of chains) {
  test(
    `Jaeger has one trace of a call from ${caller} to ${callee}, sent by ${exporter}`,
    withPeers,
    async () => {
      heard.length = 0;
      const found = await trace(caller, callee, exporter);
      const client = spanOf(found, "caller");
      const server = spanOf(found, "callee");
      assert.deepEqual([client.operationName, server.operationName], ["egress callee.example", "ingress"]);
      assert.deepEqual(client.references, []);
      assert.deepEqual(
        server.references.map(({ refType, spanID }) => [refType, spanID]),
        [["CHILD_OF", client.spanID]],
      );
      assert.equal(
        heard[0]?.slice(36, 52),
        server.spanID,
        "what the application calls is below the server's span",
      );
      assert.deepEqual(
        [client, server].map((span) => tagsOf(span).get("span.kind")),
        ["client", "server"],
      );
    },
  );
}

test(
  "Jaeger has the same of a call whichever proxies carry it: every tag of Envoy's",
  withPeers,
  async () => {
    const envoys = await trace("envoy", "envoy", "grpc");
    const ours = await trace("weft", "weft", "grpc");
    for (const service of ["caller", "callee"]) {
      const expected = tagsOf(spanOf(envoys, service));
      const actual = tagsOf(spanOf(ours, service));
      assert.ok(expected.size > 12, "Envoy says something");
      const shared = [...actual].filter(([key]) => expected.has(key));
      assert.deepEqual(Object.fromEntries(shared), Object.fromEntries(expected));
    }
  },
);
