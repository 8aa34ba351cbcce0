import assert from "node:assert/strict";
import { test } from "node:test";
import { TestCa } from "@weft/testkit/test-ca";
import { envoyOrSkip, startBoth } from "../test-contenders.ts";

const address = { socket_address: { address: "127.0.0.1", port_value: 0 } };
const echo = { "@type": "type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo" };
const tlsType = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";

function bootstrap(more: object): object {
  const filter_chains = [{ filters: [{ name: "echo", typed_config: echo }], ...more }];
  return { admin: { address }, static_resources: { listeners: [{ name: "main", address, filter_chains }] } };
}

const { chainPem, keyPem } = new TestCa().leaf("default", "web");
const certificate = {
  certificate_chain: { inline_string: chainPem },
  private_key: { inline_string: keyPem },
};
const transport_socket = {
  name: "tls",
  typed_config: { "@type": tlsType, common_tls_context: { tls_certificates: [certificate] } },
};
const names =
  "^(server\\.(state|hot_restart_epoch|days_until_first_cert_expiring|live)|listener_manager\\.total_listeners_(active|warming))$";

for (const [what, more] of [
  ["without a certificate", {}],
  ["with one", { transport_socket }],
] as const) {
  test(`what is in force, ${what}, is told as by Envoy`, { skip: envoyOrSkip }, async (t) => {
    const contenders = await startBoth(bootstrap(more));
    t.after(() => Promise.all(contenders.map(({ close }) => close())));
    const [envoy, weft] = contenders;
    const page = `/stats?filter=${encodeURIComponent(names)}`;
    const expected = await envoy.admin(page);
    assert.equal(expected.trim().split("\n").length, 6, expected);
    assert.equal(await weft.admin(page), expected);
    await weft.admin("/healthcheck/fail", "POST");
    assert.equal(await weft.admin("/stats?filter=server.state"), "server.state: 1\n", "it drains");
  });
}
