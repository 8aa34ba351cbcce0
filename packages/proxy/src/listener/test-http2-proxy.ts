/** A proxy that clients of HTTP/2 talk to; for tests of its connections. */
import http from "node:http";
import http2 from "node:http2";
import tls from "node:tls";
import type { FakeClock } from "@weft/testkit/fake-clock";
import { TestCa } from "@weft/testkit/test-ca";
import type { ClusterPlan } from "../cluster/cluster-plan.ts";
import type { Exchange } from "../layer/exchange.ts";
import type { HttpConnectionPlan } from "./listener-plan.ts";
import { FrameClient } from "./test-frame-client.ts";
import { chainPlan, clusterPlan, httpPlan, listenerPlan, routesTo, startTestProxy } from "./test-proxy.ts";

const closers: (() => Promise<unknown> | unknown)[] = [];

/** What is to be ended after the test, whatever becomes of it. */
export function closeAfter(...ends: readonly (() => Promise<unknown> | unknown)[]): void {
  closers.push(...ends);
}

/** Ends what a test started, the newest first. */
export async function closeAll(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}

export const direct = (body: string) =>
  routesTo({ kind: "direct-response", status: 200, body: Buffer.from(body) });

/** The proxy before an HTTP/1.1 upstream, and what its access log was given. */
export async function startProxy(
  plan: Partial<HttpConnectionPlan>,
  options: {
    clock?: FakeClock;
    upstream?: http.RequestListener;
    tls?: boolean;
    clusterPlan?: Partial<ClusterPlan>;
  } = {},
) {
  const logged: Exchange[] = [];
  const log = { log: (exchange: Exchange) => void logged.push(exchange) };
  const terminal = httpPlan({ accessLogs: [log], ...plan });
  const server = http.createServer(options.upstream ?? ((_req, res) => res.end("up")));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const chain = options.tls ? chainPlan(terminal, { tls: tlsPlan() }) : chainPlan(terminal);
  const proxy = await startTestProxy(
    [listenerPlan([chain])],
    [clusterPlan([{ kind: "ip", host: "127.0.0.1", port }], options.clusterPlan)],
    options.clock ? { clock: options.clock } : {},
  );
  closers.push(
    () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
    () => proxy.close(),
  );
  return { proxy, logged };
}

function tlsPlan() {
  const svid = new TestCa().leaf("default", "reviews");
  const current = tls.createSecureContext({ cert: svid.chainPem, key: svid.keyPem });
  return {
    context: { current, generation: 1 },
    requireClientCertificate: false,
    verifiesClients: false,
    alpnProtocols: ["h2", "http/1.1"],
    matchesSan: undefined,
  };
}

/** A client that writes frames of its own making. */
export function frameClient(port: number): FrameClient {
  const client = new FrameClient(port);
  closers.push(() => client.close());
  return client;
}

/** A client as applications use it. */
export function session(url: string): http2.ClientHttp2Session {
  const client = http2.connect(url, { rejectUnauthorized: false });
  client.on("error", () => {});
  closers.push(() => client.destroy());
  return client;
}

export async function call(
  client: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
  body?: Buffer,
) {
  const stream = client.request(headers, { endStream: body === undefined });
  stream.end(body);
  let head: http2.IncomingHttpHeaders = {};
  let trailers: http2.IncomingHttpHeaders = {};
  stream.on("response", (got) => {
    head = got;
  });
  stream.on("trailers", (got) => {
    trailers = got;
  });
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return { head, trailers, body: Buffer.concat(chunks) };
}
