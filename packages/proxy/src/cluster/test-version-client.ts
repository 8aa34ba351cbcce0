import http2 from "node:http2";
import { RawClient } from "../listener/test-raw-client.ts";

export type Version = "1.1" | "2";

/** The status, the body, and the gRPC status among the trailers. */
export async function ask(
  port: number,
  version: Version | "1.0",
  path: string,
  more: http2.OutgoingHttpHeaders = {},
): Promise<string> {
  if (version !== "2") {
    const client = await RawClient.connect(port);
    client.send(`GET ${path} HTTP/${version}\r\nhost: test\r\nconnection: close\r\n\r\n`);
    await client.untilClosed();
    const [, status] = /^HTTP\/1\.. (\d+)/.exec(client.text) ?? [];
    const [, name = ""] = /(HTTP\/[12][^\r]*)(\r\n0\r\n\r\n)?$/.exec(client.text) ?? [];
    client.close();
    return `${status} ${name}`;
  }
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  try {
    const stream = session.request({ ":path": path, ":authority": "test", ...more }, { endStream: true });
    let status = 0;
    let trailers: http2.IncomingHttpHeaders = {};
    stream.on("response", (head) => {
      status = head[":status"]!;
    });
    stream.on("trailers", (got) => {
      trailers = got;
    });
    let body = "";
    for await (const chunk of stream) body += chunk;
    const grpc = trailers["grpc-status"];
    return `${status} ${body}${grpc === undefined ? "" : ` grpc ${grpc}`}`;
  } finally {
    session.destroy();
  }
}

/** The status of a request that switches protocols, and what came back for "ping". */
export async function tunnel(port: number, version: Version, path: string | undefined): Promise<string> {
  if (version === "1.1") {
    const client = await RawClient.connect(port);
    const target = path === undefined ? "CONNECT" : `GET ${path}`;
    const fields = path === undefined ? "" : "connection: upgrade\r\nupgrade: websocket\r\n";
    client.send(`${target}${path === undefined ? " test:1" : ""} HTTP/1.1\r\nhost: test:1\r\n${fields}\r\n`);
    const head = await client.until(/\r\n\r\n/);
    client.send("ping");
    await client.until(/ping$/);
    client.close();
    return `${/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]} ping`;
  }
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  try {
    await new Promise((resolve) => session.once("remoteSettings", resolve));
    const extended = { ":protocol": "websocket", ":scheme": "http", ":path": path };
    const stream = session.request(
      { ":method": "CONNECT", ":authority": "test:1", ...(path === undefined ? {} : extended) },
      { endStream: false },
    );
    let status = 0;
    stream.on("response", (head) => {
      status = head[":status"]!;
    });
    stream.write("ping");
    const [echoed] = await new Promise<Buffer[]>((resolve, reject) => {
      stream.once("data", (chunk: Buffer) => resolve([chunk]));
      stream.once("close", () => reject(new Error(`${status}, and nothing came back`)));
    });
    return `${status} ${echoed}`;
  } finally {
    session.destroy();
  }
}
