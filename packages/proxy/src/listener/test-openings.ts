/** What clients of several protocols begin with, and which filter chain a listener chooses for them; for tests. */
import net, { type AddressInfo } from "node:net";
import tls from "node:tls";

export interface Opening {
  readonly name: string;
  readonly bytes: () => Promise<Buffer>;
}

/** A TLS client's, for a server name and protocols. */
export const hello = (servername: string, ...ALPNProtocols: string[]): Opening => ({
  name: `TLS for ${servername || "nobody"} speaking ${ALPNProtocols.join(", ") || "anything"}`,
  bytes: () => captureHello({ servername, ...(ALPNProtocols.length > 0 ? { ALPNProtocols } : {}) }),
});

/** Any other's. */
export const text = (name: string, bytes: string): Opening => ({
  name,
  bytes: async () => Buffer.from(bytes, "latin1"),
});

/** The first flight of a real client. */
function captureHello(options: tls.ConnectionOptions): Promise<Buffer> {
  return new Promise((resolve) => {
    const server = net.createServer((socket) => {
      socket.once("data", (bytes: Buffer) => {
        socket.destroy();
        server.close();
        resolve(bytes);
      });
    });
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      tls.connect({ port, host: "127.0.0.1", ...options }).on("error", () => {});
    });
  });
}

/** A filter chain that answers with its name. */
export function answeringChain(name: string, more: object = {}): object {
  const filter = "type.googleapis.com/envoy.extensions.filters.network.direct_response.v3.Config";
  const typed_config = { "@type": filter, response: { inline_string: name } };
  return { name, ...more, filters: [{ name: "answer", typed_config }] };
}

/** The name of the chain that answered; "" when the connection was closed. */
export function chosenChain(port: number, opening: Buffer): Promise<string> {
  return new Promise((resolve) => {
    let received = "";
    const socket = net.connect({ port, host: "127.0.0.1" });
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => {
      received += bytes.toString("latin1");
    });
    socket.on("close", () => resolve(received));
    socket.write(opening);
  });
}
