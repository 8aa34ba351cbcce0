import http2 from "node:http2";

/** One message of gRPC. */
export const frame = (text: string) => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(text.length, 1);
  return Buffer.concat([head, Buffer.from(text)]);
};

/** Echoes the request as one frame with what it was sent with, then as many as were asked for, then trailers. */
export function startGrpc(): http2.Http2Server {
  const server = http2.createServer();
  server.on("stream", (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      if (stream.destroyed) return;
      if (headers[":path"] === "/trailers-only") {
        const only = {
          ":status": 200,
          "content-type": "application/grpc",
          "grpc-status": "5",
          "grpc-message": "no",
        };
        stream.respond(only, { endStream: true });
        return;
      }
      if (headers[":path"] === "/not-grpc") {
        stream.respond({ ":status": 503, "content-type": "text/plain" });
        stream.end("broken");
        return;
      }
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0", "x-a": "b" }));
      const said = ["content-type", "te", "grpc-accept-encoding", "content-length"].map(
        (name) => headers[name],
      );
      stream.write(frame(JSON.stringify([said, Buffer.concat(chunks).toString("base64")])));
      for (const text of ["a", "bc", ""]) stream.write(frame(text));
      stream.end();
    });
  });
  return server;
}

/** A cluster called `grpc`, of a server on this port. */
export function grpcCluster(port: number): string {
  return `
- name: grpc
  connect_timeout: 1s
  typed_extension_protocol_options:
    envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
      "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
      explicit_http_config: { http2_protocol_options: {} }
  load_assignment:
    cluster_name: grpc
    endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } } }] }]`;
}
