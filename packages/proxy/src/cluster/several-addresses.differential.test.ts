import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { after, before, test } from "node:test";
import { freePorts } from "@weft/testkit/free-port";
import { type Contender, envoyOrSkip, startBoth } from "../test-contenders.ts";

/** Nobody is at `dead` on either loopback address, `six` is served on ::1 and `both` on both. */
let ports: { readonly dead: number; readonly six: number; readonly both: number };
const servers: Server[] = [];
let contenders: readonly Contender[] = [];

interface Case {
  readonly name: string;
  /** The first of them is the endpoint's own. */
  readonly addresses: readonly (readonly [host: "127.0.0.1" | "::1", port: keyof typeof ports])[];
  readonly connection?: Readonly<Record<string, unknown>>;
}

const cases: readonly Case[] = [
  {
    name: "second",
    addresses: [
      ["127.0.0.1", "dead"],
      ["::1", "six"],
    ],
  },
  {
    name: "none",
    addresses: [
      ["127.0.0.1", "dead"],
      ["::1", "dead"],
    ],
  },
  {
    name: "by-turns",
    addresses: [
      ["127.0.0.1", "dead"],
      ["127.0.0.1", "six"],
      ["::1", "six"],
    ],
  },
  {
    name: "first",
    addresses: [
      ["127.0.0.1", "both"],
      ["::1", "both"],
    ],
  },
  {
    name: "preferred",
    addresses: [
      ["127.0.0.1", "both"],
      ["::1", "both"],
    ],
    connection: { happy_eyeballs_config: { first_address_family_version: "V6" } },
  },
  {
    name: "two-of-a-family",
    addresses: [
      ["127.0.0.1", "dead"],
      ["::1", "both"],
      ["127.0.0.1", "six"],
      ["127.0.0.1", "both"],
    ],
    connection: { happy_eyeballs_config: { first_address_family_count: 2 } },
  },
];

const skip = envoyOrSkip || (!existsSync("/proc/net/if_inet6") && "this machine has no IPv6");

before(async () => {
  if (skip !== false) return;
  const [dead, six, both] = await freePorts(3);
  ports = { dead: dead!, six: six!, both: both! };
  for (const [host, port] of [
    ["::1", ports.six],
    ["::1", ports.both],
    ["127.0.0.1", ports.both],
  ] as const) {
    const server = createServer((request, response) => response.end(request.socket.localAddress));
    server.listen(port, host);
    await once(server, "listening");
    servers.push(server);
  }
  contenders = await startBoth(bootstrap());
});

after(async () => {
  for (const contender of contenders) await contender.close();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

function bootstrap() {
  const socket = (address: string, port_value: number) => ({ socket_address: { address, port_value } });
  const seen = "%RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_HOST% %UPSTREAM_REMOTE_ADDRESS%";
  return {
    admin: { address: socket("127.0.0.1", 0) },
    static_resources: {
      clusters: cases.map(({ name, addresses, connection }) => {
        const [first, ...others] = addresses.map(([host, port]) => ({ address: socket(host, ports[port]) }));
        const endpoint = { ...first, additional_addresses: others };
        return {
          name,
          load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint }] }] },
          ...(connection ? { upstream_connection_options: connection } : {}),
        };
      }),
      listeners: [
        {
          address: socket("127.0.0.1", 0),
          filter_chains: [
            {
              filters: [
                {
                  name: "http",
                  typed_config: {
                    "@type":
                      "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                    stat_prefix: "http",
                    route_config: {
                      virtual_hosts: [
                        {
                          name: "all",
                          domains: ["*"],
                          response_headers_to_add: [{ header: { key: "x-seen", value: seen } }],
                          routes: cases.map(({ name }) => ({
                            match: { prefix: `/${name}` },
                            route: { cluster: name },
                          })),
                        },
                      ],
                    },
                    http_filters: [
                      {
                        name: "router",
                        typed_config: {
                          "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                        },
                      },
                    ],
                  },
                },
              ],
            },
          ],
        },
      ],
    },
  };
}

for (const { name } of cases) {
  test(`an endpoint with several addresses is reached as by Envoy: ${name}`, {
    skip,
  }, async () => {
    const [theirs, ours] = await Promise.all(
      contenders.map(async ({ port, admin }) => {
        const answer = await fetch(`http://127.0.0.1:${port}/${name}`);
        const stats = await admin(`/stats?filter=cluster.${name}.upstream_cx_(total|connect_fail):?$`);
        const body = await answer.text();
        return { status: answer.status, body, seen: answer.headers.get("x-seen"), stats };
      }),
    );
    assert.deepEqual(ours, theirs);
  });
}
