import assert from "node:assert/strict";
import net from "node:net";
import { describe, it } from "node:test";
import tls from "node:tls";
import { type ClientHelloResult, parseClientHello } from "./client-hello.ts";

/** The first flight of a real client. */
function captureHello(options: tls.ConnectionOptions): Promise<Buffer> {
  return new Promise((resolve) => {
    const server = net.createServer((socket) => {
      socket.once("data", (bytes) => {
        socket.destroy();
        server.close();
        resolve(bytes);
      });
    });
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as net.AddressInfo;
      tls.connect({ port, host: "127.0.0.1", ...options }).on("error", () => {});
    });
  });
}

function hello(result: ClientHelloResult) {
  assert.equal(result.kind, "hello");
  return result.kind === "hello" ? result.hello : undefined;
}

describe("a client hello", () => {
  it("gives server name and protocols of a real client", async () => {
    const bytes = await captureHello({ servername: "Reviews.Default", ALPNProtocols: ["istio", "http/1.1"] });
    assert.deepEqual(hello(parseClientHello(bytes)), {
      serverName: "reviews.default",
      alpnProtocols: ["istio", "http/1.1"],
    });
  });

  it("is incomplete until its last byte, whatever the cut", async () => {
    const bytes = await captureHello({ servername: "a.b", ALPNProtocols: ["x"] });
    for (let end = 0; end < bytes.length; end++) {
      assert.equal(parseClientHello(bytes.subarray(0, end)).kind, "incomplete", `${end} bytes`);
    }
  });

  it("may be spread over several records", async () => {
    const bytes = await captureHello({ servername: "a.b" });
    const record = (part: Buffer) => {
      const head = Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]);
      return Buffer.concat([head, part]);
    };
    const message = bytes.subarray(5);
    const spread = Buffer.concat([record(message.subarray(0, 40)), record(message.subarray(40))]);
    assert.equal(hello(parseClientHello(spread))?.serverName, "a.b");
  });

  it("is not what other protocols begin with", () => {
    for (const text of ["GET / HTTP/1.1\r\n", "\x16\x02\x01\x00", "\x00", "PRI * HTTP/2.0"]) {
      assert.equal(parseClientHello(Buffer.from(text, "latin1")).kind, "not-tls", JSON.stringify(text));
    }
  });

  it("with nonsense inside counts as TLS without names", async () => {
    const bytes = Buffer.from(await captureHello({ servername: "a.b" }));
    bytes.fill(0xff, 43);
    assert.deepEqual(hello(parseClientHello(bytes)), { serverName: "", alpnProtocols: [] });
  });
});
