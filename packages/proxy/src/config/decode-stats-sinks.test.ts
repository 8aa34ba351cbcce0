import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeBootstrap } from "./bootstrap.ts";
import { parseDocument } from "./document.ts";

const type = (name: string) => `"@type": type.googleapis.com/envoy.config.metrics.v3.${name}`;
const bootstrap = (sink: string, more = "") => `
admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } } }
stats_sinks: [{ name: sink, typed_config: { ${sink} } }]
${more}
`;
const decode = (text: string) => decodeBootstrap(parseDocument("bootstrap.yaml", text)).statsSinks;
const udp = "address: { socket_address: { protocol: UDP, address: 127.0.0.1, port_value: 8125 } }";

test("sinks are told every five seconds under Envoy's name, or as configured", () => {
  const to = { host: "127.0.0.1", port: 8125 };
  assert.deepEqual(decode(bootstrap(`${type("StatsdSink")}, ${udp}`)), {
    sinks: [{ format: { kind: "statsd", prefix: "envoy" }, ...to, maxDatagramBytes: 0 }],
    intervalMs: 5_000,
  });
  const dog = `${type("DogStatsdSink")}, ${udp}, prefix: p, max_bytes_per_datagram: 1400`;
  assert.deepEqual(decode(bootstrap(dog, "stats_flush_interval: 1s")), {
    sinks: [{ format: { kind: "dogstatsd", prefix: "p" }, ...to, maxDatagramBytes: 1_400 }],
    intervalMs: 1_000,
  });
});

for (const [what, text, expected] of [
  [
    "a TCP cluster",
    bootstrap(`${type("StatsdSink")}, tcp_cluster_name: c`),
    /`tcp_cluster_name` is not implemented/,
  ],
  ["no address", bootstrap(type("StatsdSink")), /typed_config\.address: needs `socket_address`/],
  [
    "a host name",
    bootstrap(`${type("StatsdSink")}, ${udp}`).replace(
      "127.0.0.1, port_value: 8125",
      "localhost, port_value: 8125",
    ),
    /address: is no IP address/,
  ],
  ["another sink", bootstrap(type("HystrixSink")), /HystrixSink is not implemented/],
  [
    "an interval of nothing",
    bootstrap(`${type("StatsdSink")}, ${udp}`, "stats_flush_interval: 0.01s"),
    /stats_flush_interval: is too short/,
  ],
  [
    "a flush by request only",
    bootstrap(`${type("StatsdSink")}, ${udp}`, "stats_flush_on_admin: true"),
    /stats_flush_on_admin: is not implemented/,
  ],
  [
    "UDP where TCP is meant",
    bootstrap(`${type("StatsdSink")}, ${udp}`).replace(
      "{ address: 127.0.0.1, port_value: 0 }",
      "{ address: 127.0.0.1, port_value: 0, protocol: UDP }",
    ),
    /admin\.address\.socket_address\.protocol: UDP is not spoken here/,
  ],
] as const) {
  test(`${what} is refused for statistics, with its place`, () => {
    assert.throws(() => decode(text), expected);
  });
}
