import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { systemClock } from "@weft/base/clock";
import { IstioCertificateService } from "../gen/istio/v1/auth/ca_pb.js";
import type { ClientCall } from "./client-call.ts";
import { GrpcChannel } from "./grpc-channel.ts";
import { type GrpcRoute, unaryRoute } from "./grpc-route.ts";
import { GrpcServer } from "./grpc-server.ts";
import { GrpcError, grpcCode } from "./grpc-status.ts";
import { frameMessage, MessageReader } from "./message-framing.ts";

const method = IstioCertificateService.method.createCertificate;
const errors: unknown[] = [];
const cleanups: (() => void | Promise<void>)[] = [];
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  assert.deepEqual(errors, []);
});

async function serve(routes: readonly GrpcRoute[], onError = (error: unknown) => void errors.push(error)) {
  const server = new GrpcServer({ clock: systemClock, routes, maxMessageBytes: 1000, onError });
  const { port } = await server.listen({ host: "127.0.0.1", port: 0 });
  const channel = new GrpcChannel({
    clock: systemClock,
    target: { address: { host: "127.0.0.1", port } },
    maxMessageBytes: 1000,
  });
  cleanups.push(
    () => server.close(),
    () => channel.close(),
  );
  return { server, channel, port };
}

const isStatus = (code: number, text: RegExp) => (error: unknown) =>
  error instanceof GrpcError && error.code === code && text.test(error.message);

describe("unary calls", () => {
  it("carry messages, metadata and the server's status", async () => {
    const { channel } = await serve([
      unaryRoute(method, async (request, call) => {
        if (request.csr === "bad") throw new GrpcError(grpcCode.permissionDenied, "größer: 100%\n");
        return { certChain: [request.csr, call.metadata("authorization") ?? ""] };
      }),
    ]);
    const answer = await channel.unary(method, { csr: "x" }, { metadata: [["authorization", "Bearer t"]] });
    assert.deepEqual(answer.certChain, ["x", "Bearer t"]);
    await assert.rejects(
      channel.unary(method, { csr: "bad" }),
      isStatus(grpcCode.permissionDenied, /^größer: 100%\n$/),
    );
  });

  it("say nothing of the inside when a handler fails", async () => {
    const seen: unknown[] = [];
    const { channel } = await serve(
      [unaryRoute(method, async () => Promise.reject(new Error("secret path")))],
      (error) => void seen.push(error),
    );
    await assert.rejects(channel.unary(method, {}), isStatus(grpcCode.internal, /^internal error/));
    assert.match(String(seen[0]), /secret path/);
  });

  it("are refused when too large, in either direction", async () => {
    const { channel } = await serve([unaryRoute(method, async () => ({ certChain: ["y".repeat(2000)] }))]);
    await assert.rejects(
      channel.unary(method, { csr: "x".repeat(2000) }),
      isStatus(grpcCode.resourceExhausted, /exceeds the limit of 1000/),
    );
    await assert.rejects(channel.unary(method, {}), isStatus(grpcCode.resourceExhausted, /exceeds/));
  });

  it("end at their deadline on both sides", async () => {
    let sawClose = false;
    const closed = Promise.withResolvers<void>();
    const { channel } = await serve([
      {
        path: "/istio.v1.auth.IstioCertificateService/CreateCertificate",
        open: () => ({
          onMessage() {},
          onHalfClose() {},
          onClose() {
            sawClose = true;
            closed.resolve();
          },
        }),
      },
    ]);
    await assert.rejects(
      channel.unary(method, {}, { timeoutMs: 30 }),
      isStatus(grpcCode.deadlineExceeded, /./),
    );
    await closed.promise;
    assert.ok(sawClose);
  });

  it("to an unknown method are UNIMPLEMENTED", async () => {
    const { channel } = await serve([]);
    await assert.rejects(channel.unary(method, {}), isStatus(grpcCode.unimplemented, /method/));
  });

  it("connect again after the server was away, and name it while it is", async () => {
    const routes = [unaryRoute(method, async () => ({ certChain: ["1"] }))];
    const { server, channel, port } = await serve(routes);
    await channel.unary(method, {});
    await server.close();
    await assert.rejects(
      channel.unary(method, {}),
      isStatus(grpcCode.unavailable, new RegExp(`127.0.0.1:${port}`)),
    );
    const next = new GrpcServer({ clock: systemClock, routes, onError: (error) => errors.push(error) });
    await next.listen({ host: "127.0.0.1", port });
    cleanups.push(() => next.close());
    assert.deepEqual((await channel.unary(method, {})).certChain, ["1"]);
  });
});

describe("streams", () => {
  it("carry messages both ways until the client ends them", async () => {
    const { channel } = await serve([
      {
        path: "/echo",
        open: (call) => ({
          onMessage: (message) => call.send(message),
          onHalfClose: () => call.end(),
          onClose() {},
        }),
      },
    ]);
    const got: string[] = [];
    const ended = Promise.withResolvers<GrpcError | undefined>();
    const call: ClientCall = await channel.open("/echo", [], {
      onMessage(message) {
        got.push(Buffer.from(message).toString());
        if (got.length < 3) call.send(Buffer.from(String(got.length)));
        else call.halfClose();
      },
      onEnd: ended.resolve,
    });
    call.send(Buffer.from("0"));
    assert.equal(await ended.promise, undefined);
    assert.deepEqual(got, ["0", "1", "2"]);
  });
});

describe("Unix sockets", () => {
  it("replace what a crash left behind, and never a living one", async () => {
    const folder = mkdtempSync(join(tmpdir(), "weft-grpc-"));
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, "s.sock");
    writeFileSync(path, "");
    const routes = [unaryRoute(method, async () => ({ certChain: ["unix"] }))];
    const make = () => new GrpcServer({ clock: systemClock, routes, onError: (error) => errors.push(error) });
    const server = make();
    await server.listen({ path });
    cleanups.push(() => server.close());
    const channel = new GrpcChannel({ clock: systemClock, target: { address: { path } } });
    cleanups.push(() => channel.close());
    assert.deepEqual((await channel.unary(method, {})).certChain, ["unix"]);
    await assert.rejects(make().listen({ path }), /cannot listen on .*the address is in use/);
  });
});

describe("message framing", () => {
  it("does not depend on how the network cuts it", () => {
    const messages = ["", "a", "b".repeat(300)].map((text) => Buffer.from(text));
    const wire = Buffer.concat(messages.map(frameMessage));
    for (const size of [1, 2, 5, 7, wire.length]) {
      const got: string[] = [];
      const reader = new MessageReader(1000, (message) => got.push(Buffer.from(message).toString()));
      for (let at = 0; at < wire.length; at += size) reader.push(wire.subarray(at, at + size));
      assert.deepEqual(got, messages.map(String), `chunks of ${size}`);
      assert.ok(reader.isAtBoundary);
    }
  });

  it("refuses compressed messages", () => {
    const reader = new MessageReader(10, () => {});
    assert.throws(
      () => reader.push(Buffer.from([1, 0, 0, 0, 0])),
      isStatus(grpcCode.unimplemented, /compressed/),
    );
  });
});
