/** What a dashboard or an alert that was made for Envoy asks for is there, under the same names. */
import assert from "node:assert/strict";
import { createServer, get } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { type Contender, envoyOrSkip, startBoth } from "../test-contenders.ts";

const type = "type.googleapis.com/envoy.extensions";
const address = { socket_address: { address: "127.0.0.1", port_value: 0 } };

function bootstrap(port: number): object {
  const endpoint = { address: { socket_address: { address: "127.0.0.1", port_value: port } } };
  const endpoints = [{ lb_endpoints: [{ endpoint }] }];
  const manager = {
    "@type": `${type}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: "s",
    access_log: [
      {
        name: "file",
        typed_config: { "@type": `${type}.access_loggers.file.v3.FileAccessLog`, path: "/dev/null" },
      },
    ],
    route_config: {
      virtual_hosts: [
        { name: "v", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: "web" } }] },
      ],
    },
    http_filters: [{ name: "router", typed_config: { "@type": `${type}.filters.http.router.v3.Router` } }],
  };
  return {
    admin: { address },
    static_resources: {
      listeners: [
        { name: "main", address, filter_chains: [{ filters: [{ name: "hcm", typed_config: manager }] }] },
      ],
      clusters: [{ name: "web", type: "STATIC", load_assignment: { cluster_name: "web", endpoints } }],
    },
  };
}

/** Envoy's names that are not here, and why. */
const leftOut: readonly (readonly [reason: string, name: RegExp])[] = [
  ["the admin endpoint is no listener, and has no statistics", /^(listener\.admin|http\.admin)\./],
  ["there is no client of the proxy's own that is one for all clusters", /^http\.async-client\./],
  ["HTTP/3 and early data do not exist", /_(http3\w*|0rtt|connect_with_0_rtt)$/],
  ["one thread serves, and says how late it runs", /watchdog_(mega_)?miss$/],
  ["threads do not make their clusters one by one", /^thread_local_cluster_manager\./],
  ["nothing is pinned, and no chain drains alone", /workers_pinned$|total_filter_chains_draining$/],
  ["every update of a listener is one in place", /^listener_manager\.listener_in_place_updated$/],
  ["filters are not discovered", /extension_config_missing$/],
  [
    "of Envoy's own build or code",
    /^server\.(version|debug_assertion_failures|wip_protos|envoy_notifications)$/,
  ],
  ["runtime comes from the bootstrap, once", /^runtime\.(admin|override|deprecated)/],
  ["names are not looked up, responses to OCSP not stapled", /stats_recent_lookups$|ocsp_response_expiring$/],
  ["the process before answers for itself", /^server\.parent_connections$/],
  ["a flush waits for nothing", /^server\.dropped_stat_flushes$/],
  ["updates are not merged", /^cluster_manager\.(cluster_updated|update_)|\.update_no_rebuild$/],
  ["endpoints do not become stale, and are not cached", /\.assignment_\w+$/],
  ["pools have no limit, and connect for who waits", /cx_pool_o\w+$|preconnect_skipped$|queue_overloaded$/],
  ["overload is looked at, not awaited", /^envoy\.overload_actions\.|^overload\.refresh/],
  [
    "subsets are made anew with their balancer, and weights are in `/clusters`",
    /\.lb_subsets_(active|created|removed)$|max_host_weight$/,
  ],
  [
    "runtime does not put upstreams out of service",
    /\.(upstream_rq_maintenance_mode|rq_overload_local_reply)$/,
  ],
  [
    "said by logs or by another series",
    /\.(bind_errors|original_dst_host_invalid|retry_or_shadow_abandoned)$/,
  ],
  ["made where it is configured", /\.tracing\.\w+$|\.lb_(zone_\w+|local_\w+|recalculate\w+)$/],
  ["versions are told of CDS and LDS alone", /^cluster\.web\.version$/],
  ["`cluster_manager.warming_clusters` says how many, `/clusters` which", /\.warming_state$/],
  ["not counted: what codecs drop or refuse", /(^|\.)http1\.\w+$/],
  ["not counted: buffers and who waits for whom", /_bytes_buffered$|_flow_control_\w+$/],
  [
    "not counted: details of how connections and requests end",
    /(close_notify|reset_no_error|upstream_rq_max_duration_reached|active_overflow|delayed_close_timeout|http1_soft_drain)$/,
  ],
  [
    "not counted, or not possible here",
    /(rejected_via_ip_detection|response_before_rq_complete|too_many_premature_resets|rs_too_large)$/,
  ],
  ["of the way Envoy accepts and reads", /connections_accepted_per_socket_event$|listener_filter_error$/],
];

/** By name as in `/stats`, the listener's port left out. */
async function statistics({ admin }: Contender): Promise<Map<string, string>> {
  const lines = (await admin("/stats")).trim().split("\n");
  return new Map(
    lines.map((line) => {
      const at = line.indexOf(": ");
      return [line.slice(0, at).replace(/^(listener\.127\.0\.0\.1)_\d+/, "$1"), line.slice(at + 2)];
    }),
  );
}

/** By name as in Prometheus: the kind, and the labels of its series. */
async function families({ admin }: Contender): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  let kind = "";
  for (const line of (await admin("/stats/prometheus")).split("\n")) {
    const declared = /^# TYPE (\S+) (\w+)/.exec(line);
    if (declared) kind = declared[2]!;
    const [, name, labels = ""] = /^(\w+)(?:\{(.*)\})? /.exec(line) ?? [];
    if (name === undefined || line.startsWith("#")) continue;
    const names = [...labels.matchAll(/(\w+)="/g)].map((match) => match[1]!).sort();
    found.set(name, `${kind} ${names.join()}`);
  }
  return found;
}

function call(port: number, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { port, path, host: "127.0.0.1", agent: false, headers: { connection: "close" } };
    get(options, (response) => response.resume().on("end", resolve)).on("error", reject);
  });
}

/** Counters that say the same of the same requests. */
const sameValue =
  /^(cluster\.web\.(external|default|upstream_(rq|cx)_(?!time|\w*bytes))|http\.s\.|listener\.127|listener_manager\.|runtime\.num|server\.(concurrency|total_connections|hot_restart_generation|envoy_bug_failures|\w+_unknown_fields|compilation))/;
/** What is no HTTP is no reset for Envoy. */
const differs = /_bytes_total$|rq_rx_reset$|^\S+ms$|_time$|per_cx$/;

test("statistics have Envoy's names, kinds, labels and counts", { skip: envoyOrSkip }, async (t) => {
  const upstream = createServer((request, response) => {
    if (request.url === "/broken") request.socket.end("this is no HTTP\r\n\r\n");
    else response.setHeader("connection", "close").end("hi");
  });
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  t.after(() => upstream.close());
  const contenders = await startBoth(bootstrap((upstream.address() as AddressInfo).port));
  t.after(() => Promise.all(contenders.map(({ close }) => close())));
  for (const contender of contenders) {
    for (const path of ["/", "/", "/broken", "/"]) await call(contender.port, path);
    for (;;) {
      const said = await statistics(contender);
      const isOver = ["http.s.downstream_cx_active", "cluster.web.upstream_cx_active"].every(
        (name) => said.get(name) === "0",
      );
      if (isOver) break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  const [envoy, weft] = (await Promise.all(contenders.map(statistics))) as [
    Map<string, string>,
    Map<string, string>,
  ];
  assert.ok(envoy.size > 300, `${envoy.size}`);

  const missing = [...envoy.keys()].filter((name) => !weft.has(name));
  const unexplained = missing.filter((name) => !leftOut.some(([, pattern]) => pattern.test(name)));
  assert.deepEqual(unexplained, [], "left out without a reason");
  for (const [reason, pattern] of leftOut) {
    assert.ok(
      missing.some((name) => pattern.test(name)),
      `nothing is left out any more: ${reason}`,
    );
    const kept = [...envoy.keys()].filter((name) => pattern.test(name) && weft.has(name));
    assert.deepEqual(kept, [], `kept, though ${reason}`);
  }

  const values = (said: Map<string, string>) =>
    [...said].filter(
      ([name]) => envoy.has(name) && weft.has(name) && sameValue.test(name) && !differs.test(name),
    );
  assert.ok(values(envoy).length > 100, `${values(envoy).length}`);
  assert.deepEqual(values(weft).sort(), values(envoy).sort());

  const [theirs, ours] = await Promise.all(contenders.map(families));
  const shared = [...ours!.keys()].filter((name) => theirs!.has(name)).sort();
  assert.ok(shared.length > 100, `${shared.length}`);
  assert.deepEqual(
    shared.map((name) => `${name} ${ours!.get(name)}`),
    shared.map((name) => `${name} ${theirs!.get(name)}`),
  );
});
