import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import type { BenchCase } from "./cases.ts";
import { grpcMessage } from "./load.ts";

/** Sends one request as the load tools will; the empty string when it is answered with 200, or else why not. */
export async function probe(one: BenchCase, url: URL): Promise<string> {
  if (one.kind === "handshakes") return probeConnection(url);
  return one.protocol === "http1" ? probeHttp1(one, url) : probeHttp2(one, url);
}

/** Whether somebody listens. */
function probeConnection(url: URL): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: url.hostname, port: Number(url.port) });
    socket.on("connect", () => {
      socket.destroy();
      resolve("");
    });
    socket.on("error", (error) => resolve(error.message));
  });
}

function probeHttp1(one: BenchCase, url: URL): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: url.hostname, port: Number(url.port), timeout: 1_000 });
    socket.on("error", (error) => resolve(error.message));
    socket.on("timeout", () => resolve("no answer within a second"));
    socket.once("data", (chunk) => {
      const line = chunk.toString("latin1").split("\r\n", 1)[0]!;
      resolve(line.startsWith("HTTP/1.1 200") ? "" : line);
      socket.destroy();
    });
    socket.on("close", () => resolve("closed without an answer"));
    const host = one.authority ?? url.host;
    socket.write(`GET ${one.path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
  });
}

function probeHttp2(one: BenchCase, url: URL): Promise<string> {
  return new Promise((resolve) => {
    const session = connectHttp2(url.origin);
    const settle = (text: string) => {
      session.destroy();
      resolve(text);
    };
    session.on("error", (error) => settle(error.message));
    session.setTimeout(1_000, () => settle("no answer within a second"));
    const isGrpc = one.protocol === "grpc";
    const stream = session.request(
      isGrpc
        ? { ":method": "POST", ":path": one.path, "content-type": "application/grpc", te: "trailers" }
        : { ":path": one.path },
    );
    if (isGrpc) stream.end(grpcMessage);
    stream.on("error", (error) => settle(error.message));
    stream.on("response", (headers) => {
      settle(headers[":status"] === 200 ? "" : `status ${headers[":status"]}`);
    });
  });
}
