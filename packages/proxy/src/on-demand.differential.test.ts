import assert from "node:assert/strict";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect, createServer, isIP } from "node:net";
import { after, before, describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { FakeAds } from "@weft/testkit/fake-ads";
import { until } from "@weft/testkit/until";
import {
  type Cluster,
  ClusterSchema,
  Cluster_DiscoveryType as DiscoveryType,
  Cluster_DnsLookupFamily as DnsFamily,
} from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import { type Contender, envoyOrSkip, startBoth } from "./test-contenders.ts";

const ads = await FakeAds.start();
const upstream = createHttpServer((request, response) => {
  request.on("data", () => {});
  request.on("end", () => response.end(`${request.method} ${request.url}`));
});
await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
const echo = createServer((socket) => socket.pipe(socket));
await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve));
after(async () => {
  upstream.closeAllConnections();
  upstream.close();
  echo.close();
  await ads.close();
});

/** At an address, or at a name that DNS says the address of. */
function cluster(name: string, server: { address(): unknown }, host = "127.0.0.1"): Cluster {
  const { port } = server.address() as AddressInfo;
  const address = {
    case: "socketAddress" as const,
    value: { address: host, portSpecifier: { case: "portValue" as const, value: port } },
  };
  const endpoint = { case: "endpoint" as const, value: { address: { address } } };
  return create(ClusterSchema, {
    name,
    connectTimeout: { seconds: 1n },
    clusterDiscoveryType: {
      case: "type",
      value: isIP(host) ? DiscoveryType.STATIC : DiscoveryType.STRICT_DNS,
    },
    dnsLookupFamily: DnsFamily.V4_ONLY,
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints: [{ hostIdentifier: endpoint }] }] },
  });
}

const source = { ads: {}, resource_api_version: "V3" };
const type = "type.googleapis.com/envoy.extensions.filters";

function bootstrap(filter: object): object {
  const own = {
    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    explicit_http_config: { http2_protocol_options: {} },
  };
  return {
    node: { id: "on-demand", cluster: "test" },
    admin: { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } },
    dynamic_resources: {
      ads_config: {
        api_type: "DELTA_GRPC",
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "xds" } }],
      },
    },
    static_resources: {
      listeners: [
        {
          name: "main",
          address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
          filter_chains: [{ filters: [filter] }],
        },
      ],
      clusters: [
        {
          name: "xds",
          type: "STATIC",
          connect_timeout: "1s",
          typed_extension_protocol_options: { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": own },
          load_assignment: {
            cluster_name: "xds",
            endpoints: [
              {
                lb_endpoints: [
                  {
                    endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: ads.port } } },
                  },
                ],
              },
            ],
          },
        },
      ],
    },
  };
}

function httpBootstrap(): object {
  const route = (path: string, to: string, more: object = {}) => ({
    match: { path },
    route: { cluster: to },
    ...more,
  });
  const off = {
    typed_per_filter_config: {
      "envoy.filters.http.on_demand": { "@type": `${type}.http.on_demand.v3.PerRouteConfig` },
    },
  };
  return bootstrap({
    name: "envoy.filters.network.http_connection_manager",
    typed_config: {
      "@type": `${type}.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: "main",
      route_config: {
        validate_clusters: false,
        virtual_hosts: [
          {
            name: "all",
            domains: ["*"],
            routes: [
              route("/found", "found"),
              route("/late", "late"),
              route("/missing", "missing"),
              route("/off", "off", off),
              { match: { prefix: "/by-header" }, route: { cluster_header: "x-cluster" } },
              { match: { path: "/redirect" }, redirect: { path_redirect: "/found" } },
            ],
          },
        ],
      },
      http_filters: [
        {
          name: "envoy.filters.http.on_demand",
          typed_config: { "@type": `${type}.http.on_demand.v3.OnDemand`, odcds: { source, timeout: "60s" } },
        },
        { name: "envoy.filters.http.router", typed_config: { "@type": `${type}.http.router.v3.Router` } },
      ],
    },
  });
}

describe("clusters on demand, as real Envoy", { skip: envoyOrSkip }, () => {
  let both: readonly Contender[] = [];
  before(async () => {
    ads.push({
      clusters: [
        ...["found", "header", "off"].map((name) => cluster(name, upstream)),
        cluster("named", upstream, "localhost"),
      ],
    });
    both = await startBoth(httpBootstrap());
  });
  after(() => Promise.all(both.map((one) => one.close())));

  async function call(path: string, init: RequestInit = {}): Promise<readonly (readonly [number, string])[]> {
    return Promise.all(
      both.map(async ({ port }) => {
        const answer = await fetch(`http://127.0.0.1:${port}${path}`, { redirect: "manual", ...init });
        return [answer.status, await answer.text()] as const;
      }),
    );
  }
  const same = async (path: string, status: number, body: string, init?: RequestInit) =>
    assert.deepEqual(await call(path, init), [
      [status, body],
      [status, body],
    ]);

  it("a request waits for its cluster, also one with a body, and the next does not wait", async () => {
    await same("/found", 200, "POST /found", { method: "POST", body: "x".repeat(100_000) });
    await same("/found", 200, "GET /found");
  });

  it("a request waits until DNS has said where its cluster is", async () => {
    const init = { headers: { "x-cluster": "named" } };
    await same("/by-header", 200, "GET /by-header", init);
  });

  it("a header may name it", () =>
    same("/by-header", 200, "GET /by-header", { headers: { "x-cluster": "header" } }));

  it("one that the server does not have is answered with 503, at once", async () => {
    const startMs = performance.now();
    await same("/missing", 503, "");
    assert.ok(performance.now() - startMs < 30_000, "without the timeout");
  });

  it("nothing is asked for where the route says so, and none for a redirect", async () => {
    await same("/off", 503, "");
    await same("/redirect", 301, "");
  });

  it("one that comes later, after it was missing, is used", async () => {
    await same("/late", 503, "");
    ads.push({
      clusters: ["found", "header", "off", "late"].map((name) => cluster(name, upstream)),
    });
    await until("it is subscribed to, and comes", async () =>
      (await call("/late")).every(([status]) => status === 200),
    );
  });
});

describe("connections on demand, as real Envoy", { skip: envoyOrSkip }, () => {
  const run = async (name: string): Promise<readonly string[]> => {
    const both = await startBoth(
      bootstrap({
        name: "envoy.filters.network.tcp_proxy",
        typed_config: {
          "@type": `${type}.network.tcp_proxy.v3.TcpProxy`,
          stat_prefix: "main",
          cluster: name,
          on_demand: { odcds_config: source, timeout: "3s" },
        },
      }),
    );
    try {
      const answers = await Promise.all(both.map(({ port }) => said(port)));
      const counted = await Promise.all(
        both.map(async ({ admin }) =>
          (await admin("/stats?filter=on_demand_cluster")).trim().split("\n").sort().join(" "),
        ),
      );
      return [...answers, ...counted];
    } finally {
      await Promise.all(both.map((one) => one.close()));
    }
  };

  /** What comes back of "hello", until the other end closes or has said all of it. */
  function said(port: number): Promise<string> {
    return new Promise((resolve) => {
      let text = "";
      const socket = connect(port, "127.0.0.1", () => socket.write("hello"));
      socket.on("data", (bytes) => {
        text += bytes;
        if (text.length >= 5) socket.destroy();
      });
      socket.on("error", () => {});
      socket.on("close", () => resolve(text));
    });
  }

  it("wait for their cluster", async () => {
    ads.push({ clusters: [cluster("tcp", echo)] });
    const [a, b, envoy, weft] = await run("tcp");
    assert.deepEqual([a, b], ["hello", "hello"]);
    assert.equal(weft, envoy);
  });

  it("wait until DNS has said where it is", async () => {
    ads.push({ clusters: [cluster("tcp-named", echo, "localhost")] });
    const [a, b, envoy, weft] = await run("tcp-named");
    assert.deepEqual([a, b], ["hello", "hello"]);
    assert.equal(weft, envoy);
  });

  it("end where there is none", async () => {
    const [a, b, envoy, weft] = await run("nowhere");
    assert.deepEqual([a, b], ["", ""]);
    assert.equal(weft, envoy);
  });
});
