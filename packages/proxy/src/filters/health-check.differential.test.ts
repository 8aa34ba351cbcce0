import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { type Contender, envoyOrSkip, startBoth } from "../test-contenders.ts";

let upstream: Server;
let contenders: readonly Contender[] = [];
let asked = 0;

before(async () => {
  if (envoyOrSkip !== false) return;
  upstream = createServer((_, response) => {
    asked += 1;
    response.writeHead(200, { "x-envoy-degraded": "true" }).end("app");
  });
  upstream.listen(0, "127.0.0.1");
  await once(upstream, "listening");
  contenders = await startBoth(bootstrapOf((upstream.address() as AddressInfo).port));
});

after(async () => {
  for (const contender of contenders) await contender.close();
  upstream?.closeAllConnections();
  upstream?.close();
});

const filterType = "type.googleapis.com/envoy.extensions.filters.http.health_check.v3.HealthCheck";
const forPath = (path: string) => [{ name: ":path", string_match: { exact: path } }];
const filter = (name: string, config: Readonly<Record<string, unknown>>) => ({
  name,
  typed_config: { "@type": filterType, headers: forPath(`/${name}`), ...config },
});

function bootstrapOf(port: number): unknown {
  const loopback = { socket_address: { address: "127.0.0.1", port_value: 0 } };
  const cluster = (name: string, endpoints: readonly unknown[]) => ({
    name,
    type: "STATIC",
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: endpoints }] },
  });
  const endpoint = (health: string, at = port) => ({
    endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: at } } },
    health_status: health,
  });
  const manager = {
    "@type":
      "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    stat_prefix: "h",
    http_filters: [
      filter("own", { pass_through_mode: false }),
      filter("enough", {
        pass_through_mode: false,
        cluster_min_healthy_percentages: { half: { value: 50 } },
      }),
      filter("toofew", {
        pass_through_mode: false,
        cluster_min_healthy_percentages: { half: { value: 51 } },
      }),
      filter("empty", { pass_through_mode: false, cluster_min_healthy_percentages: { none: { value: 1 } } }),
      filter("unknown", { pass_through_mode: false, cluster_min_healthy_percentages: { x: { value: 0 } } }),
      filter("through", { pass_through_mode: true }),
      filter("cached", { pass_through_mode: true, cache_time: "600s" }),
      {
        name: "router",
        typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
      },
    ],
    route_config: {
      virtual_hosts: [
        { name: "v", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: "app" } }] },
      ],
    },
  };
  return {
    node: { id: "n", cluster: "web-v1" },
    admin: { address: loopback },
    static_resources: {
      listeners: [
        {
          name: "l",
          address: loopback,
          filter_chains: [{ filters: [{ name: "http", typed_config: manager }] }],
        },
      ],
      clusters: [
        cluster("app", [endpoint("HEALTHY")]),
        cluster("half", [endpoint("HEALTHY"), endpoint("UNHEALTHY", 1)]),
        cluster("none", []),
      ],
    },
  };
}

async function ask({ port }: Contender, path: string): Promise<string> {
  const before = asked;
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  const body = await response.text();
  const shown = [
    "x-envoy-degraded",
    "x-envoy-upstream-healthchecked-cluster",
    "x-envoy-immediate-health-check-fail",
  ].map((name) => response.headers.get(name));
  return `${response.status} ${body} ${shown.join(" ")} ${asked > before ? "asked" : "answered"}`;
}

const paths = [
  "/own",
  "/enough",
  "/toofew",
  "/empty",
  "/unknown",
  "/through",
  "/cached",
  "/cached",
  "/other",
];

test("health checks are answered as Envoy answers them, also while they are failed", {
  skip: envoyOrSkip,
}, async () => {
  const theirs: string[] = [];
  const ours: string[] = [];
  for (const [contender, answers] of [
    [contenders[0]!, theirs],
    [contenders[1]!, ours],
  ] as const) {
    for (const path of paths) answers.push(`${path}: ${await ask(contender, path)}`);
    await contender.admin("/healthcheck/fail", "POST");
    for (const path of paths) answers.push(`failed ${path}: ${await ask(contender, path)}`);
  }
  assert.deepEqual(ours, theirs);
});
