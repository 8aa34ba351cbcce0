import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { type SideBySide, startSideBySide, withEnvoy } from "./side-by-side-fixture.ts";
import { frame, grpcCluster, startGrpc } from "./test-grpc-upstream.ts";

const setups: [what: string, config: string][] = [
  ["of their cluster alone", "emit_filter_state: true, stats_for_all_methods: false"],
  ["of every method", "stats_for_all_methods: true"],
  ["of every method, dots replaced", "stats_for_all_methods: true, replace_dots_in_grpc_service_name: true"],
  ["of every method, with times", "stats_for_all_methods: true, enable_upstream_stats: true"],
  [
    "of some methods",
    "individual_method_stats_allowlist: { services: [{ name: shop.Cart, method_names: [Add, Never] }] }",
  ],
];
const calls: [path: string, type: string, body: Buffer][] = [
  ["/shop.Cart/Add", "application/grpc", frame("a")],
  ["/shop.Cart/Add", "application/grpc+proto", Buffer.concat([frame(""), frame("bc"), frame("d")])],
  ["/shop.Cart/Remove", "application/grpc", Buffer.alloc(0)],
  ["/trailers-only", "application/grpc", frame("a")],
  ["/not-grpc", "application/grpc", frame("a")],
  ["/shop.Cart/Add", "text/plain", frame("a")],
  ["/refused/Call", "application/grpc", frame("a")],
];

/** How long calls took differs; that it was measured does not. */
function withoutTime(line: string): string {
  return line.replace(/(upstream_rq_time:).*/, "$1");
}

for (const [what, config] of setups) {
  describe(`gRPC statistics ${what}, as Envoy counts them`, withEnvoy, () => {
    let both: SideBySide;
    const server = startGrpc();

    before(async () => {
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const { port } = server.address() as AddressInfo;
      both = await startSideBySide({
        filters: `
- name: envoy.filters.http.grpc_stats
  typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.grpc_stats.v3.FilterConfig, ${config} }`,
        routes: `
- match: { prefix: /refused }
  direct_response: { status: 503 }
- match: { prefix: / }
  route: { cluster: grpc }`,
        clusters: grpcCluster(port),
      });
    });

    after(async () => {
      await both?.close();
      server.close();
    });

    it("calls, statuses and messages", async () => {
      for (const [path, type, body] of calls) {
        await both.ask({ method: "POST", path, headers: { "content-type": type, te: "trailers" }, body });
      }
      await both.logged(calls.length);
      const { envoy, weft } = await both.stats(/^cluster\.grpc\.grpc\./);
      assert.ok(envoy.length >= 5, envoy.join("\n"));
      assert.deepEqual(weft.map(withoutTime), envoy.map(withoutTime));
    });
  });
}
