import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { until } from "@weft/testkit/until";
import { type Contender, envoyOrSkip, startBoth } from "../test-contenders.ts";

/** How the endpoint at each loopback address answers, and what both proxies must make of it. */
const endpoints: readonly {
  readonly address: string;
  readonly flags: string;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly isSilent?: boolean;
  readonly config?: Readonly<Record<string, unknown>>;
}[] = [
  { address: "127.0.0.2", flags: "healthy" },
  { address: "127.0.0.3", flags: "/failed_active_hc", status: 503 },
  { address: "127.0.0.4", flags: "/failed_active_hc/active_hc_timeout", isSilent: true },
  {
    address: "127.0.0.5",
    flags: "/failed_active_hc/excluded_via_immediate_hc_fail",
    status: 503,
    headers: { "x-envoy-immediate-health-check-fail": "true" },
  },
  { address: "127.0.0.6", flags: "/degraded_active_hc", headers: { "x-envoy-degraded": "true" } },
  { address: "127.0.0.7", flags: "healthy", config: { disable_active_health_check: true } },
  { address: "127.0.0.8", flags: "/failed_active_hc", config: { port_value: 1 } },
  { address: "127.0.0.9", flags: "healthy", status: 250 },
];

let upstream: Server;
let contenders: readonly Contender[] = [];

before(async () => {
  if (envoyOrSkip !== false) return;
  upstream = createServer((request, response) => {
    const behaviour = endpoints.find(({ address }) => address === request.socket.localAddress);
    if (behaviour && !behaviour.isSilent) {
      response.writeHead(behaviour.status ?? 200, behaviour.headers).end();
    }
  });
  upstream.listen(0, "0.0.0.0");
  await once(upstream, "listening");
  contenders = await startBoth(bootstrapOf((upstream.address() as AddressInfo).port));
});

after(async () => {
  for (const contender of contenders) await contender.close();
  upstream?.closeAllConnections();
  upstream?.close();
});

function bootstrapOf(port: number): unknown {
  const loopback = { socket_address: { address: "127.0.0.1", port_value: 0 } };
  const tcp = {
    "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
    stat_prefix: "t",
    cluster: "web",
  };
  return {
    admin: { address: loopback },
    static_resources: {
      listeners: [
        {
          name: "l",
          address: loopback,
          filter_chains: [{ filters: [{ name: "tcp", typed_config: tcp }] }],
        },
      ],
      clusters: [
        {
          name: "web",
          type: "STATIC",
          health_checks: [
            {
              timeout: "0.3s",
              interval: "0.1s",
              no_traffic_interval: "0.1s",
              healthy_threshold: 2,
              unhealthy_threshold: 2,
              http_health_check: {
                path: "/healthz",
                expected_statuses: [
                  { start: 200, end: 201 },
                  { start: 240, end: 260 },
                ],
              },
            },
          ],
          load_assignment: {
            cluster_name: "web",
            endpoints: [
              {
                lb_endpoints: endpoints.map(({ address, config }) => ({
                  endpoint: {
                    address: { socket_address: { address, port_value: port } },
                    ...(config ? { health_check_config: config } : {}),
                  },
                })),
              },
            ],
          },
        },
      ],
    },
  };
}

/** Each endpoint's flags as `/clusters` shows them. */
async function flagsOf(contender: Contender): Promise<Record<string, string>> {
  const text = await contender.admin("/clusters");
  return Object.fromEntries(
    [...text.matchAll(/^web::(127\.0\.0\.\d+):\d+::health_flags::(.*)$/gm)].map(([, address, flags]) => [
      address!,
      flags!,
    ]),
  );
}

test("endpoints are judged, and the judgement is shown, as by Envoy", { skip: envoyOrSkip }, async () => {
  const expected = Object.fromEntries(endpoints.map(({ address, flags }) => [address, flags]));
  for (const contender of contenders) {
    let found = {};
    // The silent one needs its timeouts.
    const isJudged = async () => {
      found = await flagsOf(contender);
      return JSON.stringify(found) === JSON.stringify(expected);
    };
    await until(`${contender.name} has judged all`, isJudged, { said: () => JSON.stringify(found) });
  }
});

test("the statistics have Envoy's names", { skip: envoyOrSkip }, async () => {
  const [theirs, ours] = await Promise.all(
    contenders.map(async (contender) => {
      const text = await contender.admin("/stats?filter=cluster.web.health_check");
      return text.split("\n").map((line) => line.split(":")[0]);
    }),
  );
  const missing = ours!.filter((name) => !theirs!.includes(name));
  assert.deepEqual(missing, []);
  assert.ok(ours!.length > 5);
});
