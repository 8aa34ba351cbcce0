import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, createServer, request as httpRequest, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { formatHash } from "../hash/hash64.ts";
import { xxHash64 } from "../hash/xx-hash.ts";
import { type Contender, envoyOrSkip, startBoth } from "../test-contenders.ts";

/** Every endpoint is this server, told apart by the address it was reached at. Paths with `hold` are never answered. */
let upstream: Server;
let contenders: readonly Contender[] = [];
const held = new Set<string>();

before(async () => {
  if (envoyOrSkip !== false) return;
  upstream = createServer((request, response) => {
    const name = `${request.socket.localAddress}`;
    if (request.url!.includes("hold")) held.add(name);
    else response.end(name);
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

type Json = Readonly<Record<string, unknown>>;

const policies = "type.googleapis.com/envoy.extensions.load_balancing_policies.";
const typed = (name: string, config: Json) => ({
  load_balancing_policy: {
    policies: [
      { typed_extension_config: { name, typed_config: { "@type": `${policies}${name}`, ...config } } },
    ],
  },
});

interface Case {
  readonly name: string;
  readonly cluster: Json;
  /** Weights, in order; 10 equal endpoints when absent. */
  readonly weights?: readonly number[];
  /** Which endpoints are unhealthy. */
  readonly sick?: readonly number[];
  /** Endpoints of priority 1 begin here. */
  readonly secondPriorityFrom?: number;
  /** Splits the endpoints into localities of these weights. */
  readonly localities?: readonly number[];
  readonly hostnames?: boolean;
  readonly hashKeys?: boolean;
}

const cases: readonly Case[] = [
  { name: "ring", cluster: { lb_policy: "RING_HASH" } },
  {
    name: "ring-murmur",
    cluster: { lb_policy: "RING_HASH", ring_hash_lb_config: { hash_function: "MURMUR_HASH_2" } },
  },
  {
    name: "ring-small",
    cluster: { lb_policy: "RING_HASH", ring_hash_lb_config: { minimum_ring_size: 3, maximum_ring_size: 16 } },
  },
  {
    name: "ring-weighted",
    cluster: { lb_policy: "RING_HASH", ring_hash_lb_config: { minimum_ring_size: 100 } },
    weights: [1, 2, 3, 5, 8, 13],
  },
  {
    name: "ring-hostname",
    cluster: {
      lb_policy: "RING_HASH",
      common_lb_config: { consistent_hashing_lb_config: { use_hostname_for_hashing: true } },
    },
    hostnames: true,
  },
  { name: "ring-hash-key", cluster: { lb_policy: "RING_HASH" }, hashKeys: true },
  { name: "ring-sick", cluster: { lb_policy: "RING_HASH" }, sick: [0, 3] },
  { name: "ring-panic", cluster: { lb_policy: "RING_HASH" }, sick: [0, 1, 2, 3, 4, 5, 6] },
  { name: "ring-priorities", cluster: { lb_policy: "RING_HASH" }, sick: [0, 1, 2], secondPriorityFrom: 5 },
  {
    name: "ring-localities",
    cluster: { lb_policy: "RING_HASH", common_lb_config: { locality_weighted_lb_config: {} } },
    localities: [3, 1, 7],
  },
  { name: "maglev", cluster: { lb_policy: "MAGLEV" } },
  { name: "maglev-small", cluster: { lb_policy: "MAGLEV", maglev_lb_config: { table_size: 11 } } },
  {
    name: "maglev-weighted",
    cluster: { lb_policy: "MAGLEV", maglev_lb_config: { table_size: 251 } },
    weights: [1, 2, 3, 5, 8, 13],
  },
  {
    name: "maglev-hostname",
    cluster: {
      lb_policy: "MAGLEV",
      common_lb_config: { consistent_hashing_lb_config: { use_hostname_for_hashing: true } },
    },
    hostnames: true,
  },
  {
    name: "maglev-localities",
    cluster: { lb_policy: "MAGLEV", common_lb_config: { locality_weighted_lb_config: {} } },
    localities: [3, 1, 7],
  },
  { name: "maglev-sick", cluster: { lb_policy: "MAGLEV" }, sick: [1, 9] },
  {
    name: "typed-ring",
    cluster: typed("ring_hash.v3.RingHash", { hash_function: "MURMUR_HASH_2", minimum_ring_size: 64 }),
  },
  {
    name: "typed-maglev",
    cluster: typed("maglev.v3.Maglev", {
      table_size: 509,
      consistent_hashing_lb_config: { hash_policy: [{ header: { header_name: "x-own" } }] },
    }),
  },
  {
    name: "bounded-ring",
    cluster: {
      lb_policy: "RING_HASH",
      common_lb_config: { consistent_hashing_lb_config: { hash_balance_factor: 125 } },
    },
  },
  {
    name: "bounded-maglev",
    cluster: {
      lb_policy: "MAGLEV",
      common_lb_config: { consistent_hashing_lb_config: { hash_balance_factor: 110 } },
    },
    weights: [3, 3, 2, 4],
  },
];

const hashPolicies: Readonly<Record<string, readonly Json[]>> = {
  header: [{ header: { header_name: "X-Key" } }],
  rewritten: [
    {
      header: {
        header_name: "x-key",
        regex_rewrite: { pattern: { regex: "^k(\\d+).*" }, substitution: "<\\1>" },
      },
    },
  ],
  path: [{ header: { header_name: ":path" } }],
  host: [{ header: { header_name: "host" } }],
  cookie: [{ cookie: { name: "sid" } }],
  generated: [
    {
      cookie: {
        name: "sticky",
        ttl: "90s",
        path: "/p",
        attributes: [{ name: "SameSite", value: "Strict" }, { name: "Secure" }],
      },
    },
  ],
  session: [{ cookie: { name: "sticky", ttl: "0s" } }],
  source: [{ connection_properties: { source_ip: true } }],
  query: [{ query_parameter: { name: "q" } }],
  both: [{ header: { header_name: "x-key" } }, { query_parameter: { name: "q" } }],
  twice: [{ header: { header_name: "x-key" } }, { header: { header_name: "x-key" } }],
  terminal: [{ cookie: { name: "sid" }, terminal: true }, { header: { header_name: "x-key" } }],
};

function bootstrapOf(port: number): Json {
  const endpointsOf = ({ weights = new Array<number>(10).fill(1), ...of }: Case) =>
    weights.map((weight, i) => ({
      endpoint: {
        address: { socket_address: { address: `127.0.0.${i + 2}`, port_value: port } },
        ...(of.hostnames ? { hostname: `host-${i}.example` } : {}),
      },
      load_balancing_weight: weight,
      ...(of.hashKeys ? { metadata: { filter_metadata: { "envoy.lb": { hash_key: `shard-${i}` } } } } : {}),
      ...(of.sick?.includes(i) ? { health_status: "UNHEALTHY" } : {}),
    }));
  const localitiesOf = (of: Case) => {
    const endpoints = endpointsOf(of);
    if (of.secondPriorityFrom !== undefined) {
      return [
        { lb_endpoints: endpoints.slice(0, of.secondPriorityFrom) },
        { lb_endpoints: endpoints.slice(of.secondPriorityFrom), priority: 1 },
      ];
    }
    return (of.localities ?? [1]).map((weight, i, all) => ({
      // Not in the order of their names.
      locality: { region: `r${all.length - i}` },
      load_balancing_weight: weight,
      lb_endpoints: endpoints.filter((_, j) => j % all.length === i),
    }));
  };
  const routes = [
    ...cases.map(({ name }) => ({ prefix: `/${name}/`, cluster: name, hash_policy: hashPolicies.header })),
    ...Object.entries(hashPolicies).map(([name, hash_policy]) => ({
      prefix: `/by-${name}/`,
      cluster: "ring",
      hash_policy,
    })),
  ];
  const manager = {
    "@type":
      "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    stat_prefix: "hash",
    use_remote_address: true,
    xff_num_trusted_hops: 1,
    http_filters: [
      {
        name: "router",
        typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
      },
    ],
    route_config: {
      name: "r",
      virtual_hosts: [
        {
          name: "v",
          domains: ["*"],
          routes: routes.map(({ prefix, ...action }) => ({ match: { prefix }, route: action })),
        },
      ],
    },
  };
  return {
    admin: { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } },
    static_resources: {
      listeners: [
        {
          name: "hash",
          address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
          filter_chains: [{ filters: [{ name: "http", typed_config: manager }] }],
        },
      ],
      clusters: cases.map((one) => ({
        name: one.name,
        // Envoy hashes host names of DNS clusters only.
        type: one.hostnames ? "STRICT_DNS" : "STATIC",
        ...one.cluster,
        load_assignment: { cluster_name: one.name, endpoints: localitiesOf(one) },
      })),
    },
  };
}

const agent = new Agent({ keepAlive: true });

interface Sent {
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | string[] | undefined>>;
}

interface Answer {
  readonly status: number | undefined;
  readonly cookie: string;
  readonly body: string;
  readonly localPort: number | undefined;
  readonly remotePort: number | undefined;
}

function ask({ port }: Contender, { path, headers }: Sent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = httpRequest(
      { host: "127.0.0.1", port, path, agent, headers: { host: "h.example", ...headers } },
      (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          body += chunk;
        });
        const { localPort, remotePort } = response.socket;
        response.on("end", () => {
          const { statusCode, headers } = response;
          resolve({
            status: statusCode,
            cookie: `${headers["set-cookie"] ?? ""}`,
            body,
            localPort,
            remotePort,
          });
        });
      },
    );
    call.on("error", reject);
    call.end();
  });
}

const keys = Array.from({ length: 40 }, (_, i) => `k${i}-${"x".repeat(i)}`);

const sent: readonly Sent[] = [
  ...cases.flatMap(({ name }) =>
    keys.map((key) => ({ path: `/${name}/`, headers: { "x-key": key, "x-own": `own-${key}` } })),
  ),
  ...keys.flatMap((key, i) => [
    { path: "/by-rewritten/", headers: { "x-key": key } },
    { path: `/by-path/${key}` },
    { path: "/by-host/", headers: { host: `${key}.example` } },
    { path: "/by-cookie/", headers: { cookie: `a=b; sid=${key}; c` } },
    { path: "/by-cookie/", headers: { cookie: `sid="${key}"` } },
    { path: "/by-generated/", headers: { cookie: `sticky=${key}` } },
    { path: "/by-source/", headers: { "x-forwarded-for": `10.1.${i}.7` } },
    { path: `/by-query/?p=1&q=${key}&q=2` },
    { path: `/by-both/?q=${key}`, headers: { "x-key": `other-${i % 3}` } },
    { path: "/by-twice/", headers: { "x-key": key } },
    { path: "/by-terminal/", headers: { "x-key": key, cookie: "sid=always" } },
    { path: "/by-terminal/", headers: { "x-key": key } },
    { path: "/by-header/", headers: { "x-key": [key, "second"] } },
    { path: "/by-header/", headers: { "x-key": ["second", key] } },
  ]),
];

test("requests go to the endpoint Envoy sends them to", { skip: envoyOrSkip }, async () => {
  const differences: string[] = [];
  for (const one of sent) {
    const [theirs, ours] = await Promise.all(contenders.map((contender) => ask(contender, one)));
    if (theirs!.status !== 200 || ours!.body !== theirs!.body) {
      differences.push(
        `${one.path} ${JSON.stringify(one.headers)}: Envoy ${theirs!.body}, ours ${ours!.body}`,
      );
    }
  }
  assert.deepEqual(differences, []);
});

test("a client without its cookie is given the one Envoy gives", { skip: envoyOrSkip }, async () => {
  for (const path of ["/by-generated/", "/by-session/"]) {
    const [theirs, ours] = await Promise.all(
      contenders.map(async (contender) => {
        const { localPort, remotePort, cookie } = await ask(contender, { path });
        const value = formatHash(xxHash64(`127.0.0.1:${localPort}127.0.0.1:${remotePort}`));
        return cookie.replace(value, "<the hash of both addresses>");
      }),
    );
    assert.match(theirs!, /<the hash/);
    assert.equal(ours, theirs);
  }
  // And with it, it stays.
  const first = await ask(contenders[1]!, { path: "/by-generated/" });
  const cookie = /sticky="(\w+)"/.exec(first.cookie)![1]!;
  const again = await ask(contenders[1]!, {
    path: "/by-generated/",
    headers: { cookie: `sticky=${cookie}` },
  });
  assert.equal(again.body, first.body);
  assert.equal(again.cookie, "");
});

for (const name of ["bounded-ring", "bounded-maglev"]) {
  test(`${name}: a busy endpoint's keys overflow to the endpoints Envoy chooses`, {
    skip: envoyOrSkip,
  }, async () => {
    const results: string[][] = [];
    for (const contender of contenders) {
      const calls: { destroy(): void }[] = [];
      const order: string[] = [];
      for (let i = 0; i < 24; i++) {
        held.clear();
        const call = httpRequest({
          host: "127.0.0.1",
          port: contender.port,
          path: `/${name}/hold`,
          agent: false,
          headers: { "x-key": "one" },
        });
        call.on("error", () => {});
        call.end();
        calls.push(call);
        while (held.size === 0) await new Promise((resolve) => setTimeout(resolve, 2));
        order.push([...held].join());
      }
      for (const call of calls) call.destroy();
      results.push(order);
    }
    const [theirs, ours] = results;
    assert.ok(new Set(theirs).size > 1);
    assert.deepEqual(ours, theirs);
  });
}
