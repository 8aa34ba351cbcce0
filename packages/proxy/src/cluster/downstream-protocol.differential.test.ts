import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { TestCa } from "@weft/testkit/test-ca";
import { RawClient } from "../listener/test-raw-client.ts";
import { type Contender, envoyOrSkip, startBoth } from "../test-contenders.ts";
import { PolyglotUpstream } from "./test-polyglot-upstream.ts";
import { ask, tunnel } from "./test-version-client.ts";

const svid = new TestCa().leaf("default", "reviews");

type Fields = Readonly<Record<string, unknown>>;

const following = {
  use_downstream_protocol_config: { http_protocol_options: {}, http2_protocol_options: {} },
};

interface ClusterCase {
  /** What is spoken to it. */
  readonly options?: Fields;
  /** TLS, offering these names by ALPN. */
  readonly alpn?: readonly string[];
  readonly fields?: Fields;
}

const clusters: Readonly<Record<string, ClusterCase>> = {
  plain: { options: following },
  bare: { options: { use_downstream_protocol_config: {} } },
  tls: { options: following, alpn: [] },
  named: { options: following, alpn: ["istio"] },
  unsaid: { alpn: [] },
  http1: { options: { explicit_http_config: { http_protocol_options: {} } }, alpn: [] },
  http2: { options: { explicit_http_config: { http2_protocol_options: {} } }, alpn: [] },
  negotiated: { options: { auto_config: { http2_protocol_options: {} } }, alpn: [] },
  limited: { options: following, fields: { circuit_breakers: { thresholds: [{ max_requests: 2 }] } } },
  once: {
    options: {
      ...following,
      common_http_protocol_options: { max_requests_per_connection: 1 },
    },
  },
};

const optionsType = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const extension = "type.googleapis.com/envoy.extensions";
const address = (port: number) => ({ socket_address: { address: "127.0.0.1", port_value: port } });

function clusterOf(name: string, { options, alpn, fields }: ClusterCase, port: number): Fields {
  const common = { common_tls_context: { alpn_protocols: alpn } };
  const tls = { "@type": `${extension}.transport_sockets.tls.v3.UpstreamTlsContext`, ...common };
  return {
    name,
    ...fields,
    ...(options
      ? {
          typed_extension_protocol_options: {
            [optionsType]: { "@type": `type.googleapis.com/${optionsType}`, ...options },
          },
        }
      : {}),
    ...(alpn ? { transport_socket: { name: "envoy.transport_sockets.tls", typed_config: tls } } : {}),
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(port) } }] }],
    },
  };
}

const bootstrap = (filters: readonly Fields[], all: readonly Fields[]) => ({
  admin: { address: address(0) },
  static_resources: {
    listeners: [{ name: "main", address: address(0), filter_chains: [{ filters }] }],
    clusters: all,
  },
});

function manager(): Fields {
  const retried = { cluster: "plain", retry_policy: { retry_on: "5xx", num_retries: 1 } };
  const connect = { upgrade_configs: [{ upgrade_type: "CONNECT" }] };
  const config = {
    "@type": `${extension}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: "main",
    http_protocol_options: { accept_http_10: true },
    http2_protocol_options: { allow_connect: true },
    upgrade_configs: [{ upgrade_type: "websocket" }],
    http_filters: [
      {
        name: "envoy.filters.http.router",
        typed_config: { "@type": `${extension}.filters.http.router.v3.Router` },
      },
    ],
    route_config: {
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [
            { match: { connect_matcher: {} }, route: { cluster: "plain", ...connect } },
            { match: { prefix: "/retried" }, route: retried },
            ...Object.keys(clusters).map((name) => ({
              match: { prefix: `/${name}` },
              route: { cluster: name },
            })),
          ],
        },
      ],
    },
  };
  return { name: "envoy.filters.network.http_connection_manager", typed_config: config };
}

function tcpTunnel(cluster: string): Fields {
  const config = {
    "@type": `${extension}.filters.network.tcp_proxy.v3.TcpProxy`,
    stat_prefix: "tunnel",
    cluster,
    tunneling_config: { hostname: "test:1" },
  };
  return { name: "envoy.filters.network.tcp_proxy", typed_config: config };
}

const counters =
  /^cluster\.(plain|bare|tls|named|http1|http2|once)\.(upstream_cx_(http1|http2)?_?total|upstream_rq_(total|retry|pending_overflow|200|503)): (\d+)$/;

describe("a cluster that speaks what its clients speak, as Envoy does it", { skip: envoyOrSkip }, () => {
  let contenders: readonly Contender[] = [];
  const upstreams: PolyglotUpstream[] = [];

  /** A plain upstream and one with TLS for either, so that neither sees the other's requests. */
  const start = async (filters: readonly Fields[]) => {
    const plain = await PolyglotUpstream.start();
    const secure = await PolyglotUpstream.start({ key: svid.keyPem, cert: svid.chainPem });
    upstreams.push(plain, secure);
    const all = Object.entries(clusters).map(([name, one]) =>
      clusterOf(name, one, (one.alpn ? secure : plain).port),
    );
    return { plain, contenders: await startBoth(bootstrap(filters, all)) };
  };
  let plain: PolyglotUpstream;

  before(async () => {
    ({ plain, contenders } = await start([manager()]));
  });

  after(async () => {
    for (const contender of contenders) await contender.close();
    for (const upstream of upstreams) upstream.close();
  });

  /** What both give is the same, and this. */
  const expectBoth = async (expected: string, call: (contender: Contender) => Promise<string>) => {
    for (const contender of contenders) {
      assert.equal(await call(contender), expected, contender.name);
    }
  };

  const answers: readonly (readonly [cluster: string, http1: string, http2: string])[] = [
    ["plain", "HTTP/1.1", "HTTP/2"],
    ["bare", "HTTP/1.1", "HTTP/2"],
    ["tls", "HTTP/1.1 (http/1.1)", "HTTP/2 (h2)"],
    ["named", "HTTP/1.1 (istio)", "HTTP/2 (istio)"],
    ["unsaid", "HTTP/1.1 (http/1.1)", "HTTP/1.1 (http/1.1)"],
    ["http1", "HTTP/1.1 (http/1.1)", "HTTP/1.1 (http/1.1)"],
    ["http2", "HTTP/2 (h2)", "HTTP/2 (h2)"],
    ["negotiated", "HTTP/2 (h2, http/1.1)", "HTTP/2 (h2, http/1.1)"],
  ];
  for (const [name, http1, http2Name] of answers) {
    it(`${name}: what is spoken, and offered by ALPN`, async () => {
      const trailers = http2Name.startsWith("HTTP/2") ? " grpc 0" : "";
      await expectBoth(`200 ${http1}`, ({ port }) => ask(port, "1.0", `/${name}`));
      await expectBoth(`200 ${http1}`, ({ port }) => ask(port, "1.1", `/${name}`));
      await expectBoth(`200 ${http2Name}${trailers}`, ({ port }) => ask(port, "2", `/${name}`));
    });
  }

  it("gRPC arrives as HTTP/2, with its trailers", async () => {
    const fields = { ":method": "POST", "content-type": "application/grpc", te: "trailers" };
    await expectBoth("200 HTTP/2 grpc 0", ({ port }) => ask(port, "2", "/plain/grpc", fields));
  });

  for (const [what, version, path, status] of [
    ["WebSocket by HTTP/1.1", "1.1", "/plain", 101],
    ["WebSocket by HTTP/2", "2", "/plain", 200],
    ["CONNECT by HTTP/1.1", "1.1", undefined, 200],
    ["CONNECT by HTTP/2", "2", undefined, 200],
  ] as const) {
    it(`${what} is passed on in its client's protocol`, async () => {
      for (const contender of contenders) {
        const before = plain.tunnels.length;
        assert.equal(await tunnel(contender.port, version, path), `${status} ping`, contender.name);
        const expected = version === "2" ? "HTTP/2" : "HTTP/1.1";
        assert.deepEqual(plain.tunnels.slice(before), [expected], contender.name);
      }
    });
  }

  it("a request that is tried again keeps its protocol", async () => {
    for (const contender of contenders) {
      for (const version of ["1.1", "2"] as const) {
        const before = plain.requests.length;
        const answer = await ask(contender.port, version, "/retried?status=503");
        const name = version === "2" ? "HTTP/2" : "HTTP/1.1";
        assert.ok(answer.startsWith(`503 ${name}`), `${contender.name} ${answer}`);
        assert.deepEqual(plain.requests.slice(before), [name, name], contender.name);
      }
    }
  });

  it("limits of the cluster hold for both protocols together", async () => {
    for (const { name, port } of contenders) {
      plain.isHolding = true;
      const held = (["1.1", "2"] as const).map((version) => ask(port, version, "/limited"));
      while (plain.held < 2) await new Promise((resolve) => setImmediate(resolve));
      for (const version of ["1.1", "2"] as const) {
        assert.match(await ask(port, version, "/limited"), /^503 /, `${name} ${version}`);
      }
      plain.release();
      assert.deepEqual(await Promise.all(held), ["200 HTTP/1.1", "200 HTTP/2 grpc 0"], name);
    }
  });

  it("connections are kept, and worn out, for each protocol by itself", async () => {
    for (const contender of contenders) {
      for (const [path, expected] of [
        ["/plain", 0],
        ["/once", 2],
      ] as const) {
        await ask(contender.port, "1.1", path);
        await ask(contender.port, "2", path);
        const before = plain.connections.length;
        await ask(contender.port, "1.1", path);
        await ask(contender.port, "2", path);
        assert.equal(plain.connections.length - before, expected, `${contender.name} ${path}`);
      }
    }
  });

  for (const [name, expected] of [
    ["plain", "HTTP/2"],
    ["bare", "HTTP/1.1"],
  ] as const) {
    it(`${name}: a TCP tunnel, whose client speaks no HTTP, goes by ${expected}`, async (t) => {
      const own = await start([tcpTunnel(name)]);
      t.after(async () => {
        for (const contender of own.contenders) await contender.close();
      });
      for (const contender of own.contenders) {
        const client = await RawClient.connect(contender.port);
        client.send("ping");
        await client.until(/ping$/);
        client.close();
        assert.deepEqual(own.plain.tunnels.splice(0), [expected], contender.name);
      }
    });
  }

  it("is counted alike", async () => {
    const [theirs, ours] = await Promise.all(
      contenders.map(async ({ admin }) =>
        (await admin("/stats")).split("\n").filter((line) => counters.test(line) && !line.endsWith(": 0")),
      ),
    );
    assert.deepEqual(ours, theirs);
    assert.ok(ours!.length > 10, ours!.join("\n"));
  });
});
