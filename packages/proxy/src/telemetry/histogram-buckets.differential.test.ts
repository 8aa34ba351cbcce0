/** Buckets are those that dashboards made for Envoy and Istio ask for. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { envoyOrSkip, startBoth } from "../test-contenders.ts";

const type = "type.googleapis.com/envoy.extensions.filters";
const manager = {
  "@type": `${type}.network.http_connection_manager.v3.HttpConnectionManager`,
  stat_prefix: "s",
  route_config: {
    virtual_hosts: [
      { name: "v", domains: ["*"], routes: [{ match: { prefix: "/" }, direct_response: { status: 200 } }] },
    ],
  },
  http_filters: [{ name: "router", typed_config: { "@type": `${type}.http.router.v3.Router` } }],
};
const address = { socket_address: { address: "127.0.0.1", port_value: 0 } };
const filter_chains = [{ filters: [{ name: "hcm", typed_config: manager }] }];
const bootstrap = {
  admin: { address },
  static_resources: { listeners: [{ name: "main", address, filter_chains }] },
};

test("a histogram has Envoy's buckets, which are Istio's", { skip: envoyOrSkip }, async (t) => {
  const contenders = await startBoth(bootstrap);
  t.after(() => Promise.all(contenders.map(({ close }) => close())));
  const bounds = async ({ port, admin }: (typeof contenders)[number]) => {
    await (await fetch(`http://127.0.0.1:${port}/`)).arrayBuffer();
    for (;;) {
      const page = await admin("/stats/prometheus?filter=http.s.downstream_rq_time");
      const found = [...page.matchAll(/^envoy_http_downstream_rq_time_bucket\{.*le="([^"]+)"\}/gm)];
      if (found.length > 0) return found.map(([, bound]) => bound);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const [envoy, weft] = await Promise.all(contenders.map(bounds));
  assert.ok(envoy!.length > 10);
  assert.deepEqual(weft, envoy);
});
