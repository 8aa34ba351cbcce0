import assert from "node:assert/strict";
import { test } from "node:test";
import { type Contender, envoyOrSkip, startBoth } from "../test-contenders.ts";

const address = { socket_address: { address: "127.0.0.1", port_value: "0", protocol: "tcp" } };

/** Written as protobuf's documentation does not, and Envoy takes it. */
const bootstrap = {
  admin: { address },
  static_resources: {
    listeners: [
      {
        name: "main",
        address,
        trafficDirection: "Inbound",
        drain_type: "1",
        use_original_dst: "false",
        per_connection_buffer_limit_bytes: { value: 4096 },
        listener_filters_timeout: { seconds: 2 },
        filter_chains: [
          {
            filters: [
              {
                name: "echo",
                typed_config: {
                  "@type": "type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo",
                },
              },
            ],
          },
        ],
      },
    ],
    clusters: [
      {
        name: "lenient",
        type: "static",
        connect_timeout: { seconds: "1", nanos: 250_000_000 },
        lb_policy: "Least_Request",
        max_requests_per_connection: "7",
        dns_lookup_family: 2,
        circuit_breakers: { thresholds: [{ priority: "high", track_remaining: "true", max_retries: "9" }] },
        common_lb_config: { healthy_panic_threshold: { value: "12.5" } },
        load_assignment: { cluster_name: "lenient", endpoints: null },
      },
    ],
  },
};

test("values in other spellings mean what they mean to Envoy", { skip: envoyOrSkip }, async (t) => {
  const contenders = await startBoth(bootstrap);
  t.after(() => Promise.all(contenders.map(({ close }) => close())));
  const [envoy, weft] = contenders;
  for (const part of ["cluster", "listener"]) {
    const shown = async (contender: Contender) => {
      const text = await contender.admin(`/config_dump?resource=static_${part}s`);
      return (JSON.parse(text) as { configs: Record<string, unknown>[] }).configs[0]![part];
    };
    assert.deepEqual(await shown(weft), await shown(envoy), part);
  }
});
