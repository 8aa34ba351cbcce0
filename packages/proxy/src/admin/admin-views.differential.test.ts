import assert from "node:assert/strict";
import { test } from "node:test";
import { envoyOrSkip, startBoth } from "../test-contenders.ts";

const layers = [
  { name: "first", static_layer: { a: { b: 1, c: "x" }, flag: true } },
  { name: "second", static_layer: { "a.b": 2.5, empty: "" } },
];

const listener = {
  name: "main",
  address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
  filter_chains: [
    {
      filters: [
        {
          name: "echo",
          typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo" },
        },
      ],
    },
  ],
};

const bootstrap = {
  admin: { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } },
  layered_runtime: { layers },
  static_resources: { listeners: [listener] },
};

test("the admin endpoint shows runtime and parts of the configuration as Envoy's does", {
  skip: envoyOrSkip,
}, async (t) => {
  const contenders = await startBoth(bootstrap);
  t.after(() => Promise.all(contenders.map(({ close }) => close())));
  const [envoy, weft] = contenders;
  for (const path of [
    "/runtime",
    "/config_dump?resource=static_listeners&mask=listener.name,listener.address",
    "/config_dump?resource=static_listeners&name_regex=mai",
    "/config_dump?resource=static_listeners&name_regex=ma.*&mask=listener.name",
    "/config_dump?mask=bootstrap.layered_runtime",
  ]) {
    assert.deepEqual(JSON.parse(await weft.admin(path)), JSON.parse(await envoy.admin(path)), path);
  }
  for (const path of [
    "/config_dump?resource=none",
    "/config_dump?resource=bootstrap",
    "/config_dump?mask=none",
  ]) {
    assert.equal(await weft.admin(path), await envoy.admin(path), path);
  }
});
