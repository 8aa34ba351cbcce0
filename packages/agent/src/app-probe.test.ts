import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { freePort } from "@weft/testkit/free-port";
import {
  type ProbeSchema,
  WorkloadTemplateSchema,
} from "@weft/xds/gen/weft/workload/v1/workload_template_pb";
import { appProbe, listening } from "./app-probe.ts";
import { hasIpv6 } from "./interception/has-ipv6.ts";
import { findExecutable } from "./launch.ts";
import { planWorkload } from "./workload-plan.ts";

const plan = planWorkload(
  {
    workloadGroup: "g",
    ports: [],
    command: ["x"],
    productVersion: "0",
    capture: "none",
    addresses: ["127.0.0.1"],
  },
  { isRoot: false, hasNft: false, hasOwnNetwork: false, addresses: [], runtimeDir: "/tmp" },
);
const here = {
  user: undefined,
  env: { ...process.env, WEFT_PROBED: "yes" },
  setpriv: findExecutable("setpriv"),
};
const running = new AbortController().signal;
const asked: string[] = [];
const server = createServer((request, response) => {
  asked.push(`${request.method} ${request.url} ${request.headers.host} ${request.headers["x-probe"]}`);
  response.statusCode = Number(request.url!.slice(1)) || 200;
  response.end();
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address() as AddressInfo;
const nobody = await freePort();
after(() => server.close());

function tried(probe: MessageInitShape<typeof ProbeSchema>): Promise<boolean> {
  return appProbe(plan, create(WorkloadTemplateSchema, { probe }), here).try(running);
}

describe("an application of a workload with both families", () => {
  const both = { ...plan, capture: "nft", addresses: ["10.0.0.7", "fd00::7"] } as const;
  const listensAt = async (host: string, isAsked: (port: number) => ReturnType<typeof appProbe>) => {
    const own = createServer((_request, response) => response.end());
    await new Promise<void>((resolve) => own.listen(0, host, resolve));
    try {
      return await isAsked((own.address() as AddressInfo).port).try(running);
    } finally {
      own.close();
    }
  };

  for (const host of ["127.0.0.1", "::1"]) {
    it(`is ready where it listens at ${host}`, {
      skip: !hasIpv6() && "this machine has no IPv6",
    }, async () => {
      const ports = (port: number) => [{ port, listenPort: port, protocol: "http" as const, name: "http" }];
      assert.ok(await listensAt(host, (port) => appProbe({ ...both, ports: ports(port) }, undefined, here)));
      const get = (port: number) =>
        create(WorkloadTemplateSchema, {
          probe: { method: { case: "httpGet", value: { port, path: "/" } } },
        });
      assert.ok(await listensAt(host, (port) => appProbe(both, get(port), here)));
    });
  }
});

describe("the probe of a WorkloadGroup", () => {
  const get = (path: string, at = port) => tried({ method: { case: "httpGet", value: { port: at, path } } });

  for (const [path, isReady] of [
    ["/200", true],
    ["/302", true],
    ["/404", false],
    ["/503", false],
  ] as const) {
    it(`by HTTP: ${path.slice(1)} is ${isReady ? "ready" : "not ready"}`, async () => {
      assert.equal(await get(path), isReady);
    });
  }

  it("by HTTP says the headers that are written, and the host among them", async () => {
    const headers = [
      { name: "host", value: "app.example" },
      { name: "x-probe", value: "1" },
    ];
    await tried({ method: { case: "httpGet", value: { port, path: "/200", headers } } });
    assert.equal(asked.at(-1), "GET /200 app.example 1");
  });

  it("where nobody listens is not ready, by HTTP, by HTTPS without TLS there, and by TCP", async () => {
    assert.equal(await get("/200", nobody), false);
    assert.equal(
      await tried({ method: { case: "httpGet", value: { port, path: "/", isHttps: true } } }),
      false,
    );
    assert.equal(await tried({ method: { case: "tcpSocket", value: { port: nobody } } }), false);
    assert.equal(await tried({ method: { case: "tcpSocket", value: { port } } }), true);
  });

  for (const [what, command, isReady] of [
    ["ends with 0", ["true"], true],
    ["ends with another code", ["false"], false],
    ["is not there", ["no-such-program-anywhere"], false],
    ["has the application's environment", ["sh", "-c", 'test "$WEFT_PROBED" = yes'], true],
    ["writes more than anybody reads", ["sh", "-c", "head -c 1000000 /dev/zero; exit 0"], true],
    ["ends by a signal", ["sh", "-c", "kill -9 $$"], false],
  ] as const) {
    it(`by a command that ${what} is ${isReady ? "ready" : "not ready"}`, async () => {
      assert.equal(await tried({ method: { case: "exec", value: { command: [...command] } } }), isReady);
    });
  }

  it("by a command that takes too long is not ready, and nothing of it stays", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "weft-probe-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const pidFile = join(folder, "pid");
    const command = ["sh", "-c", `sleep 600 & echo $! > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; wait`];
    const stop = new AbortController();
    const probe = create(WorkloadTemplateSchema, {
      probe: { timeout: { seconds: 600n }, method: { case: "exec", value: { command } } },
    });
    const answer = appProbe(plan, probe, here).try(stop.signal);
    while (!existsSync(pidFile)) await setTimeout(5);
    const pid = Number(readFileSync(pidFile, "utf8"));
    stop.abort();
    assert.equal(await answer, false);
    while (isRunning(pid)) await setTimeout(5);
    assert.equal(
      await tried({
        timeout: { nanos: 50_000_000 },
        method: { case: "exec", value: { command: ["sleep", "600"] } },
      }),
      false,
    );
  });

  it("by gRPC asks the service that is written, and SERVING alone is ready", async () => {
    const health = await startHealthServer();
    const ask = (service: string, at = health.port) =>
      tried({ method: { case: "grpc", value: { port: at, service } } });
    try {
      assert.equal(await ask(""), true);
      assert.equal(await ask("shop.Cart"), true);
      assert.equal(await ask("shop.Closed"), false, "NOT_SERVING");
      assert.equal(await ask("shop.Nobody"), false, "NOT_FOUND");
      assert.equal(await ask("", nobody), false, "nobody listens");
      assert.equal(await ask("", port), false, "a server of HTTP/1.1");
    } finally {
      health.close();
    }
  });

  it("has Kubernetes' counts and periods where none are written", () => {
    const probe = create(WorkloadTemplateSchema, {
      probe: { method: { case: "tcpSocket", value: { port } } },
    });
    const { periodMs, successThreshold, failureThreshold } = appProbe(plan, probe, here);
    assert.deepEqual([periodMs, successThreshold, failureThreshold], [10_000, 1, 3]);
  });
});

describe("without a probe", () => {
  it("an application is ready when it listens on all ports of its group", async () => {
    const on = (...ports: number[]) => appProbe(plan, create(WorkloadTemplateSchema, { ports }), here);
    assert.equal(await on(port).try(running), true);
    assert.equal(await on(port, nobody).try(running), false);
    assert.equal(on(port).periodMs, listening.periodMs);
  });
});

/** Gone, or a zombie that its new parent has not collected. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** `grpc.health.v1.Health` by the bytes of its protocol: SERVING for the whole server and shop.Cart. */
async function startHealthServer(): Promise<{ readonly port: number; close(): void }> {
  const statuses = new Map([
    ["0000000000", 1],
    [`000000000b0a09${Buffer.from("shop.Cart").toString("hex")}`, 1],
    [`000000000d0a0b${Buffer.from("shop.Closed").toString("hex")}`, 2],
  ]);
  const health = createHttp2Server();
  health.on("stream", (stream, headers) => {
    assert.equal(headers[":path"], "/grpc.health.v1.Health/Check");
    const asked: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => asked.push(chunk));
    stream.on("end", () => {
      const answer = statuses.get(Buffer.concat(asked).toString("hex"));
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": answer ? "0" : "5" }));
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.end(answer ? Buffer.from([0, 0, 0, 0, 2, 8, answer]) : undefined);
    });
  });
  await new Promise<void>((resolve) => health.listen(0, "127.0.0.1", resolve));
  return { port: (health.address() as AddressInfo).port, close: () => void health.close() };
}
