import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeBootstrap } from "../config/bootstrap.ts";
import { parseDocument } from "../config/document.ts";
import { envoyOrSkip, startBoth } from "../test-contenders.ts";

const address = { socket_address: { address: "127.0.0.1", port_value: 0 } };
const echo = { "@type": "type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo" };
const bootstrap = (stats_config: object) => ({
  admin: { address },
  stats_config,
  static_resources: {
    listeners: [
      { name: "main", address, filter_chains: [{ filters: [{ name: "echo", typed_config: echo }] }] },
    ],
    clusters: [{ name: "up", connect_timeout: "1s", load_assignment: { cluster_name: "up" } }],
  },
});
const matcher = (stats_matcher: object) => bootstrap({ stats_matcher });

const names = [
  "cluster.up.membership_total",
  "cluster.up.upstream_cx_total",
  "server.live",
  "server.concurrency",
];
const asked = `^(${names.join("|").replaceAll(".", "\\.")})$`;

for (const [what, config] of [
  ["everything", bootstrap({ use_all_default_tags: true })],
  ["nothing", matcher({ reject_all: true })],
  ["nothing rejected", matcher({ reject_all: false })],
  [
    "what is listed",
    matcher({ inclusion_list: { patterns: [{ prefix: "cluster.up.upstream" }, { exact: "server.live" }] } }),
  ],
  [
    "all but what is listed",
    matcher({
      exclusion_list: { patterns: [{ suffix: "_total" }, { safe_regex: { regex: "server\\.l.*" } }] },
    }),
  ],
] as const) {
  test(`statistics are shown as in Envoy where ${what} is asked for`, { skip: envoyOrSkip }, async (t) => {
    const contenders = await startBoth(config);
    t.after(() => Promise.all(contenders.map(({ close }) => close())));
    const [envoy, weft] = contenders;
    const page = `/stats?filter=${encodeURIComponent(asked)}`;
    assert.equal(await weft.admin(page), await envoy.admin(page));
    const exposed = async (text: Promise<string>) =>
      [
        ...new Set(
          (await text).matchAll(/^envoy_(cluster_membership_total|server_live|server_concurrency)\b/gm),
        ),
      ]
        .map(([name]) => name)
        .sort();
    const prometheus = "/stats/prometheus";
    assert.deepEqual(await exposed(weft.admin(prometheus)), await exposed(envoy.admin(prometheus)));
  });
}

for (const [what, config, expected] of [
  ["no patterns", { stats_matcher: { inclusion_list: {} } }, /inclusion_list\.patterns: is empty/],
  ["tags left out", { use_all_default_tags: false }, /use_all_default_tags: cannot be false/],
  [
    "tags of one's own",
    { stats_tags: [{ tag_name: "a", fixed_value: "b" }] },
    /`stats_tags` is not implemented/,
  ],
] as const) {
  test(`a configuration of statistics with ${what} is refused`, () => {
    const text = JSON.stringify(bootstrap(config));
    assert.throws(() => decodeBootstrap(parseDocument("bootstrap.json", text)), expected);
  });
}
