/** A gRPC server with one unary method, on Node's own HTTP/2; for tests of filters that call services. */
import { createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";

export interface TestGrpcService {
  readonly port: number;
  /** Messages received, oldest first. */
  readonly received: Uint8Array[];
  /** The request headers of the last call. */
  readonly headers: () => Readonly<Record<string, unknown>>;
  close(): void;
}

/** What `answer` gives is sent as the reply; a number is a gRPC status, and "never" does not answer. */
export async function startGrpcService(
  path: string,
  answer: (message: Uint8Array) => Uint8Array | number | "never",
): Promise<TestGrpcService> {
  const received: Uint8Array[] = [];
  let last: Readonly<Record<string, unknown>> = {};
  const server = createServer();
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    last = headers;
    const chunks: Buffer[] = [];
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      const frame = Buffer.concat(chunks);
      const message = new Uint8Array(frame.subarray(5));
      received.push(message);
      const reply = headers[":path"] === path ? answer(message) : 12;
      if (reply === "never") return;
      const type = { "content-type": "application/grpc" };
      if (typeof reply === "number") {
        stream.respond({ ":status": 200, ...type, "grpc-status": `${reply}` }, { endStream: true });
        return;
      }
      const head = Buffer.alloc(5);
      head.writeUInt32BE(reply.length, 1);
      stream.respond({ ":status": 200, ...type }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(Buffer.concat([head, reply]));
    });
  });
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    received,
    headers: () => last,
    close() {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
}

/** YAML of a cluster that reaches it. */
export function grpcCluster(name: string, port: number): string {
  return `
- name: ${name}
  connect_timeout: 1s
  typed_extension_protocol_options:
    envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
      "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
      explicit_http_config: { http2_protocol_options: {} }
  load_assignment:
    cluster_name: ${name}
    endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } } }] }]
`;
}
