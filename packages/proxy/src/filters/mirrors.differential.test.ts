import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request as httpRequest, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { type Contender, envoyOrSkip, startBoth } from "../test-contenders.ts";

/** The main upstream answers; the other one gets the copies, and answers late, wrongly or not at all. */
let main: Server;
let other: Server;
let contenders: readonly Contender[] = [];
const copies = new Map<string, string[]>();
let arrived: () => void = () => {};

before(async () => {
  if (envoyOrSkip !== false) return;
  main = createServer((request, response) => {
    request.resume();
    request.on("end", () => response.end("main"));
  });
  other = createServer((request, response) => {
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
    });
    request.on("error", () => {});
    request.on("end", () => {
      const { "x-case": name, "x-request-id": _id, connection: _connection, ...headers } = request.headers;
      const fields = Object.entries(headers).sort();
      const text = `${request.method} ${request.url} ${JSON.stringify(fields)} ${bytes} bytes ${JSON.stringify(request.trailers)}`;
      copies.set(
        `${name}`,
        [...(copies.get(`${name}`) ?? []), text.replace(/"\d+\.\d+\.\d+\.\d+"/, '"address"')].sort(),
      );
      arrived();
      if (request.url === "/reset") request.socket.resetAndDestroy();
      else if (request.url !== "/hang") response.writeHead(500).end("copy");
    });
  });
  for (const server of [main, other]) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  }
  contenders = await startBoth(bootstrapOf());
});

after(async () => {
  for (const contender of contenders) await contender.close();
  for (const server of [main, other]) {
    server?.closeAllConnections();
    server?.close();
  }
});

type Json = Readonly<Record<string, unknown>>;

const routes: Readonly<Record<string, Json>> = {
  "/plain": { request_mirror_policies: [{ cluster: "other" }] },
  "/hang": { request_mirror_policies: [{ cluster: "other" }] },
  "/reset": { request_mirror_policies: [{ cluster: "other" }] },
  "/twice": { request_mirror_policies: [{ cluster: "other" }, { cluster: "other" }] },
  "/unmarked": { request_mirror_policies: [{ cluster: "other", disable_shadow_host_suffix_append: true }] },
  "/header": { request_mirror_policies: [{ cluster_header: "x-mirror" }] },
  "/rewritten": {
    prefix_rewrite: "/new",
    host_rewrite_literal: "new.test",
    request_mirror_policies: [{ cluster: "other" }],
  },
  "/own-host": { request_mirror_policies: [{ cluster: "other", host_rewrite_literal: "copy.test:81" }] },
  "/mutated": {
    request_mirror_policies: [
      {
        cluster: "other",
        request_headers_mutations: [
          { remove: "x-gone" },
          { append: { header: { key: "x-new", value: "of %REQ(x-a)%" } } },
        ],
      },
    ],
  },
  "/retried": {
    retry_policy: { retry_on: "5xx", per_try_timeout: "3s" },
    request_mirror_policies: [{ cluster: "other" }],
  },
  "/host-level": {},
};

function bootstrapOf(): unknown {
  const address = (port: number) => ({ socket_address: { address: "127.0.0.1", port_value: port } });
  const cluster = (name: string, server: Server) => ({
    name,
    load_assignment: {
      cluster_name: name,
      endpoints: [
        { lb_endpoints: [{ endpoint: { address: address((server.address() as AddressInfo).port) } }] },
      ],
    },
  });
  const extension = "type.googleapis.com/envoy.extensions.filters";
  const manager = {
    "@type": `${extension}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: "main",
    http_filters: [
      { name: "envoy.filters.http.router", typed_config: { "@type": `${extension}.http.router.v3.Router` } },
    ],
    route_config: {
      request_mirror_policies: [{ cluster: "other" }, { cluster: "other" }, { cluster: "other" }],
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          request_mirror_policies: [{ cluster: "other" }, { cluster: "other" }],
          routes: Object.entries(routes).map(([prefix, action]) => ({
            match: { prefix },
            route: { cluster: "main", ...action },
          })),
        },
        {
          name: "table",
          domains: ["table"],
          routes: [{ match: { prefix: "/" }, route: { cluster: "main" } }],
        },
      ],
    },
  };
  const filters = [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }];
  return {
    admin: { address: address(0) },
    static_resources: {
      listeners: [{ name: "main", address: address(0), filter_chains: [{ filters }] }],
      clusters: [cluster("main", main), cluster("other", other)],
    },
  };
}

interface Sent {
  readonly path: string;
  readonly copies: number;
  readonly host?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly trailers?: Readonly<Record<string, string>>;
}

/** The answer and, once they are all there, the copies. */
async function ask({ port, name }: Contender, sent: Sent, id: number): Promise<string> {
  const key = `${name} ${id}`;
  const answer = await new Promise<string>((resolve, reject) => {
    const call = httpRequest(
      {
        host: "127.0.0.1",
        port,
        path: sent.path,
        method: sent.method ?? "GET",
        headers: { host: sent.host ?? "test:80", ...sent.headers, "x-case": key },
      },
      (response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => {
          body += chunk.toString();
        });
        response.on("end", () => resolve(`${response.statusCode} ${body}`));
      },
    );
    call.on("error", reject);
    if (sent.trailers) call.addTrailers(sent.trailers);
    call.end(sent.body);
  });
  while ((copies.get(key)?.length ?? 0) < sent.copies) {
    await new Promise<void>((resolve) => {
      arrived = resolve;
    });
  }
  return [answer, ...(copies.get(key) ?? [])].join("\n  ");
}

const cases: readonly Sent[] = [
  { path: "/plain?a=b", copies: 1 },
  { path: "/plain", host: "test", copies: 1 },
  { path: "/plain", host: "[::1]:80", copies: 1 },
  { path: "/plain", method: "HEAD", copies: 1 },
  { path: "/plain", method: "POST", body: "hello", copies: 1 },
  { path: "/plain", method: "POST", body: "x".repeat(300_000), copies: 1 },
  { path: "/plain", method: "POST", body: "a", headers: { "transfer-encoding": "chunked" }, copies: 1 },
  { path: "/hang", method: "POST", body: "hello", copies: 1 },
  { path: "/reset", method: "POST", body: "hello", copies: 1 },
  { path: "/twice", copies: 2 },
  { path: "/unmarked", copies: 1 },
  { path: "/header", headers: { "x-mirror": "other" }, copies: 1 },
  { path: "/header", headers: { "x-mirror": "none" }, copies: 0 },
  { path: "/header", copies: 0 },
  { path: "/rewritten/a", copies: 1 },
  { path: "/own-host", copies: 1 },
  { path: "/mutated", headers: { "x-gone": "1", "x-a": "b" }, copies: 1 },
  { path: "/retried", copies: 1 },
  { path: "/host-level", copies: 2 },
  { path: "/any", host: "table", copies: 3 },
];

test("copies of requests are those Envoy sends, and the request is answered whatever becomes of them", {
  skip: envoyOrSkip,
}, async () => {
  const differences: string[] = [];
  for (const [id, sent] of cases.entries()) {
    const answers = [];
    for (const contender of contenders) answers.push(await ask(contender, sent, id));
    const [theirs, ours] = answers;
    if (theirs !== ours) differences.push(`${sent.path}\n Envoy ${theirs}\n ours  ${ours}`);
  }
  assert.deepEqual(differences, []);
});
