import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { systemClock } from "@weft/base/clock";
import { GrpcChannel } from "./grpc-channel.ts";
import type { GrpcRoute } from "./grpc-route.ts";
import { GrpcServer } from "./grpc-server.ts";

/** One frame of RFC 9113, section 4.1. */
function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Literal fields without indexing: RFC 7541, section 6.2.2. */
function fields(list: Readonly<Record<string, string>>): Buffer {
  const text = (value: string) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
  return Buffer.concat(
    Object.entries(list).flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]),
  );
}

const preface = Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(4, 0, 0)]);
const request = { ":method": "POST", ":scheme": "http", ":path": "/test/Call", ":authority": "x" };
const grpc = fields({ ...request, "content-type": "application/grpc", te: "trailers" });
const other = fields({ ...request, "content-type": "text/html" });
const [data, reset] = [0, 3];
const endStream = 1;
const noError = Buffer.alloc(4);
const cancel = Buffer.from([0, 0, 0, 8]);

test("a call that its client ends and gives up at once hurts nobody else", async (t) => {
  let opened = 0;
  const route: GrpcRoute = {
    path: "/test/Call",
    open(call) {
      opened += 1;
      return {
        onMessage: () => call.send(new Uint8Array(10)),
        onHalfClose: () => call.end(),
        onClose() {},
      };
    },
  };
  const onError = (error: unknown) => assert.fail(String(error));
  const server = new GrpcServer({ clock: systemClock, routes: [route], onError });
  const { port } = await server.listen({ host: "127.0.0.1", port: 0 });
  t.after(() => server.close());
  const socket = connect(port, "127.0.0.1");
  t.after(() => socket.destroy());
  socket.on("error", () => {});
  socket.resume();
  const call = (stream: number, headers: Buffer) =>
    Buffer.concat([
      frame(1, 4, stream, headers),
      ...(stream % 8 < 4 ? [frame(data, endStream, stream, Buffer.alloc(stream % 16 < 8 ? 0 : 5))] : []),
      frame(reset, 0, stream, stream % 4 === 1 ? noError : cancel),
    ]);
  const streams = Array.from({ length: 40 }, (_, i) => call(2 * i + 1, i < 20 ? other : grpc));
  socket.write(Buffer.concat([preface, ...streams]));
  const channel = new GrpcChannel({ clock: systemClock, target: { address: { host: "127.0.0.1", port } } });
  t.after(() => channel.close());
  while (opened < 20) await new Promise((resolve) => setImmediate(resolve));
  const answered = Promise.withResolvers<void>();
  const bystander = await channel.open("/test/Call", [], {
    onMessage: () => answered.resolve(),
    onEnd: () => answered.reject(new Error("the other call ended")),
  });
  bystander.send(new Uint8Array());
  await answered.promise;
});
