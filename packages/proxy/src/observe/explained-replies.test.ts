/** What a sidecar says of answers it makes itself because there is too much to do. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "@weft/base/clock";
import { Log } from "../admin/log.ts";
import { decodeBootstrap } from "../config/bootstrap.ts";
import { parseDocument } from "../config/document.ts";
import { Sidecar } from "../sidecar.ts";

const type = "type.googleapis.com/envoy.extensions";
const bucket = "token_bucket: { max_tokens: 1, tokens_per_fill: 1, fill_interval: 3600s }";
const always = "{ default_value: { numerator: 100 } }";
const limit = `"@type": ${type}.filters.http.local_ratelimit.v3.LocalRateLimit, stat_prefix: l, ${bucket}, filter_enabled: ${always}, filter_enforced: ${always}`;
const own = "metadata: { filter_metadata: { istio: { origin: 'routes.yaml:12:7' } } }";

const bootstrap = (log: string, more = "") => `
admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } } }
${more}
static_resources:
  listeners:
  - name: main
    address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": ${type}.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: test
          access_log:
          - name: file
            typed_config:
              "@type": ${type}.access_loggers.file.v3.FileAccessLog
              path: ${log}
              log_format: { text_format_source: { inline_string: "%RESPONSE_CODE% %DYNAMIC_METADATA(weft.explain:text)%\\n" } }
          local_reply_config:
            mappers:
            - filter: { status_code_filter: { comparison: { op: GE, value: { default_value: 400, runtime_key: x } } } }
              headers_to_add: [{ header: { key: x-weft-explain, value: "%DYNAMIC_METADATA(weft.explain:text)%" } }]
          route_config:
            name: r
            virtual_hosts:
            - name: shop
              domains: ["*"]
              routes:
              - match: { prefix: /limited }
                name: prices
                ${own}
                direct_response: { status: 200 }
                typed_per_filter_config: { limit: { ${limit} } }
              - { match: { prefix: / }, direct_response: { status: 200 } }
          http_filters:
          - name: limit
            typed_config: { ${limit} }
          - name: router
            typed_config: { "@type": ${type}.filters.http.router.v3.Router }
`;

/** Asks each path, and gives what was said of the last answer: in the field, and in the log. */
async function told(text: (log: string) => string, paths: readonly string[], status: number) {
  const directory = mkdtempSync(join(tmpdir(), "weft-explained-"));
  const log = join(directory, "access.log");
  const plan = decodeBootstrap(parseDocument("bootstrap.yaml", text(log)));
  const sidecar = new Sidecar(
    plan,
    { version: "test" },
    new Log("error", systemClock, () => {}),
    systemClock,
  );
  try {
    await sidecar.start();
    const admin = sidecar.adminAddress;
    assert.ok(admin?.kind === "ip");
    const listeners = await (await fetch(`http://127.0.0.1:${admin.port}/listeners`)).text();
    const port = /^main::127\.0\.0\.1:(\d+)/m.exec(listeners)![1];
    const ask = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`);
      await response.arrayBuffer();
      return response;
    };
    for (;;) {
      for (const path of paths.slice(0, -1)) await ask(path);
      const last = await ask(paths.at(-1)!);
      if (last.status !== status) continue;
      return {
        field: last.headers.get("x-weft-explain"),
        line: async () => {
          await sidecar.close();
          return readFileSync(log, "utf8").trimEnd().split("\n").at(-1);
        },
        done: () => rmSync(directory, { recursive: true }),
      };
    }
  } catch (error) {
    await sidecar.close();
    throw error;
  }
}

const heap = `${type}.resource_monitors.fixed_heap.v3.FixedHeapConfig`;
const overload = `
overload_manager:
  refresh_interval: 0.01s
  resource_monitors: [{ name: heap, typed_config: { "@type": ${heap}, max_heap_size_bytes: 1 } }]
  actions: [{ name: envoy.overload_actions.stop_accepting_requests, triggers: [{ name: heap, threshold: { value: 0.9 } }] }]`;

const cases = [
  [
    "a rate limit of a route is that route's, with its line",
    bootstrap,
    ["/limited", "/limited"],
    429,
    "RL local_rate_limited; a local rate limit, at route prices; routes.yaml:12:7",
  ],
  [
    "a rate limit of a listener's own names the route it was met on",
    bootstrap,
    ["/", "/"],
    429,
    "RL local_rate_limited; a local rate limit, at a route of shop",
  ],
  [
    "an overload is nobody's configuration of this request",
    (log: string) => bootstrap(log, overload),
    ["/"],
    503,
    "overload; overload: the overload manager stops requests",
  ],
] as const;

for (const [what, text, paths, status, expected] of cases) {
  test(`${what}, in the field and in the access log`, async () => {
    const { field, line, done } = await told(text, paths, status);
    assert.equal(await line(), `${status} ${expected}`);
    assert.equal(field, expected);
    done();
  });
}
