import assert from "node:assert/strict";
import net from "node:net";
import { describe, it } from "node:test";
import { systemClock } from "@weft/base/clock";
import { Connection } from "./connection.ts";
import type { CloseCause, ConnectionHandler } from "./connection-handler.ts";
import { Timers } from "./timers.ts";

/** A connection under test and the plain socket at its other end. */
async function pair(isPortable: boolean, bufferLimitBytes = 1024 * 1024) {
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  const accepted = new Promise<net.Socket>((resolve) => server.once("connection", resolve));
  const peer = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  peer.on("error", () => {});
  const socket = await accepted;
  server.close();
  const connection = new Connection(socket, {
    timers: new Timers(systemClock),
    bufferLimitBytes,
    isPortable,
  });
  return { connection, peer };
}

class Recorder implements ConnectionHandler {
  text = "";
  hasEnded = false;
  writables = 0;
  cause: CloseCause | undefined;
  #changed: () => void = () => {};

  onRead(bytes: Buffer, start: number, end: number): void {
    this.text += bytes.toString("latin1", start, end);
    this.#changed();
  }
  onEnd(): void {
    this.hasEnded = true;
    this.#changed();
  }
  onWritable(): void {
    this.writables += 1;
    this.#changed();
  }
  onClosed(cause: CloseCause): void {
    assert.equal(this.cause, undefined, "closed once");
    this.cause = cause;
    this.#changed();
  }
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }
}

async function collect(socket: net.Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

for (const isPortable of [false, true]) {
  describe(`a connection driven ${isPortable ? "through its stream" : "directly"}`, () => {
    it("delivers what was read before it first, then what comes", async () => {
      const { connection, peer } = await pair(isPortable);
      const recorder = new Recorder();
      peer.write("world");
      connection.start(recorder, Buffer.from("hello "));
      await recorder.until(() => recorder.text.length >= 11);
      assert.equal(recorder.text, "hello world");
      connection.destroy();
    });

    it("sends everything in order, small and large, and then ends", async () => {
      const { connection, peer } = await pair(isPortable);
      connection.start(new Recorder());
      const large = Buffer.alloc(300_000, "x");
      connection.writeLatin1("a\xe9");
      connection.write(large);
      connection.writeLatin1("b".repeat(100_000));
      connection.end();
      const received = await collect(peer);
      assert.equal(received.length, 2 + 300_000 + 100_000);
      assert.equal(received.toString("latin1", 0, 3), "a\xe9x");
      assert.equal(received.at(-1), 98);
      connection.destroy();
    });

    it("is unwritable above its limit until the peer has read", async () => {
      const { connection, peer } = await pair(isPortable, 64 * 1024);
      const recorder = new Recorder();
      connection.start(recorder);
      peer.pause();
      const chunk = Buffer.alloc(16 * 1024, "x");
      let sent = 0;
      while (connection.isWritable || sent < 8 * 1024 * 1024) {
        connection.write(chunk);
        sent += chunk.length;
        await new Promise((resolve) => setImmediate(resolve));
        if (!connection.isWritable) break;
      }
      assert.equal(connection.isWritable, false);
      assert.ok(connection.unsentBytes <= 64 * 1024 + chunk.length, `${connection.unsentBytes} bytes held`);
      peer.resume();
      await recorder.until(() => recorder.writables > 0);
      assert.equal(connection.isWritable, true);
      connection.destroy();
      peer.destroy();
    });

    it("delivers nothing while paused, and all of it afterwards", async () => {
      const { connection, peer } = await pair(isPortable);
      const recorder = new Recorder();
      connection.pause();
      connection.start(recorder, Buffer.from("first "));
      peer.write("second");
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(recorder.text, "");
      connection.resume();
      await recorder.until(() => recorder.text.length >= 12);
      assert.equal(recorder.text, "first second");
      connection.destroy();
    });

    it("hears the peer's end and may still answer", async () => {
      const { connection, peer } = await pair(isPortable);
      const recorder = new Recorder();
      connection.start(recorder);
      peer.end("bye");
      await recorder.until(() => recorder.hasEnded);
      assert.equal(recorder.cause, undefined);
      connection.writeLatin1("answer");
      connection.closeGracefully();
      assert.equal((await collect(peer)).toString(), "answer");
      await recorder.until(() => recorder.cause !== undefined);
    });

    it("tells a reset from an end", async () => {
      const { connection, peer } = await pair(isPortable);
      const recorder = new Recorder();
      connection.start(recorder);
      peer.resetAndDestroy();
      await recorder.until(() => recorder.cause !== undefined);
      assert.equal(recorder.cause?.kind, "error");
    });

    it("survives a handler that throws by closing", async () => {
      const { connection, peer } = await pair(isPortable);
      const recorder = new Recorder();
      recorder.onRead = () => {
        throw new Error("defect");
      };
      connection.start(recorder);
      peer.write("x");
      await recorder.until(() => recorder.cause !== undefined);
      assert.equal(recorder.cause?.kind, "error");
      peer.destroy();
    });
  });
}
