import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { envoy, startEnvoy, startWeft, withEnvoy } from "../filters/side-by-side-fixture.ts";

/** An access log for what each filter lets through. */
const filters: Readonly<Record<string, object>> = {
  "a gRPC status": { grpc_status_filter: { statuses: ["UNAVAILABLE"] } },
  "several gRPC statuses": { grpc_status_filter: { statuses: ["OK", "NOT_FOUND", "UNKNOWN"] } },
  "any gRPC status but one": { grpc_status_filter: { statuses: ["OK"], exclude: true } },
  "no health check": { not_health_check_filter: {} },
  "ends of requests": { log_type_filter: { types: ["DownstreamEnd"] } },
  "anything but ends of requests": { log_type_filter: { types: ["DownstreamEnd"], exclude: true } },
  "a share by request id": {
    runtime_filter: { runtime_key: "x", percent_sampled: { numerator: 50, denominator: "HUNDRED" } },
  },
  "a finer share by request id": {
    runtime_filter: { runtime_key: "x", percent_sampled: { numerator: 700_000, denominator: "MILLION" } },
  },
  nothing: { runtime_filter: { runtime_key: "x", use_independent_randomness: true } },
  "a value in metadata": { metadata_filter: { matcher: shadow("allowed") } },
  "another value in metadata": { metadata_filter: { matcher: shadow("denied") } },
  "a value that must be there": { metadata_filter: { matcher: absent(), match_if_key_not_found: false } },
  "a value that may be missing": { metadata_filter: { matcher: absent() } },
  "both of two": {
    and_filter: { filters: [{ grpc_status_filter: { statuses: ["OK"] } }, { not_health_check_filter: {} }] },
  },
  ...Object.fromEntries(expressions().map((expression) => [expression, celFilter(expression)])),
  // Last, so that its line for a request comes after all others'.
  everything: { runtime_filter: { runtime_key: "x", percent_sampled: { numerator: 100 } } },
};

/** Of the Common Expression Language, over attributes of requests. */
function expressions(): string[] {
  return [
    "response.code >= 400",
    "response.code in [200, 503] || request.url_path.startsWith('/grpc')",
    "has(request.useragent) && request.useragent == 'x'",
    "!has(request.useragent)",
    "request.path.matches('status/4[0-9]+$')",
    "'x-request-id' in request.headers && request.method == 'GET'",
    "request.headers['x-missing'] == 'a'",
    "request.headers['x-missing'] == 'a' || response.code == 404",
    "connection.mtls",
    "response.code / 100 == 5",
    "request.query == ''",
    "response.code - 400 == 4 ? request.protocol == 'HTTP/1.1' : false",
    "response.grpc_status == 5",
  ];
}

function celFilter(expression: string) {
  const type = "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter";
  return { extension_filter: { name: "cel", typed_config: { "@type": type, expression } } };
}

function shadow(value: string) {
  return {
    filter: "envoy.filters.http.rbac",
    path: [{ key: "shadow_engine_result" }],
    value: { string_match: { exact: value } },
  };
}

function absent() {
  return { filter: "nobody", path: [{ key: "nothing" }], value: { present_match: true } };
}

const statuses = [200, 204, 400, 401, 403, 404, 429, 500, 502, 503, 504];
const grpcStatuses = [0, 5, 14];
const ids = ["00000000", "0000002f", "00000031", "00000032", "00000063", "000aae60", "ffffffff", "7fffffff"];
const paths = [
  ...statuses.map((status) => `/status/${status}`),
  ...grpcStatuses.map((status) => `/grpc/${status}`),
  "/shadow",
];

const names = Object.keys(filters);

function bootstrapOf(log: string): string {
  const type = (name: string) => ({ "@type": `type.googleapis.com/envoy.${name}` });
  const access_log = names.map((name) => ({
    name,
    filter: filters[name],
    typed_config: {
      ...type("extensions.access_loggers.file.v3.FileAccessLog"),
      path: log,
      log_format: { text_format_source: { inline_string: `${name}: %REQ(:PATH)% %REQ(X-REQUEST-ID)%\n` } },
    },
  }));
  const answer = (path: string, status: number, headers: object[] = []) => ({
    match: { path },
    direct_response: { status },
    response_headers_to_add: headers,
  });
  const routes = [
    ...statuses.map((status) => answer(`/status/${status}`, status)),
    ...grpcStatuses.map((status) =>
      answer(`/grpc/${status}`, 200, [{ header: { key: "grpc-status", value: `${status}` } }]),
    ),
    answer("/shadow", 200),
  ];
  const rbac = {
    ...type("extensions.filters.http.rbac.v3.RBAC"),
    shadow_rules: {
      policies: {
        one: { permissions: [{ url_path: { path: { exact: "/shadow" } } }], principals: [{ any: true }] },
      },
    },
  };
  const manager = {
    ...type("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: "s",
    normalize_path: true,
    access_log,
    route_config: { virtual_hosts: [{ name: "v", domains: ["*"], routes }] },
    http_filters: [
      { name: "rbac", typed_config: rbac },
      { name: "router", typed_config: type("extensions.filters.http.router.v3.Router") },
    ],
  };
  const address = { socket_address: { address: "127.0.0.1", port_value: 0 } };
  const filter_chains = [{ filters: [{ name: "hcm", typed_config: manager }] }];
  return JSON.stringify({
    admin: { address },
    static_resources: { listeners: [{ name: "main", address, filter_chains }] },
  });
}

const directory = mkdtempSync(join(tmpdir(), "weft-log-filters-"));
const logged: Record<string, string[][]> = {};

function ask(port: number, path: string, id: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { "x-request-id": `${id}-1111-4111-9111-111111111111` };
    get({ host: "127.0.0.1", port, path, headers }, (response) => {
      response.resume();
      response.on("end", resolve);
    }).on("error", reject);
  });
}

before(async () => {
  if (!envoy) return;
  for (const [name, start] of [
    ["envoy", (text: string) => startEnvoy(text, directory)],
    ["weft", startWeft],
  ] as const) {
    const log = join(directory, `${name}.log`);
    const proxy = await start(bootstrapOf(log));
    const port = proxy.ports.get("main")!;
    for (const path of paths) await ask(port, path, ids[0]!);
    for (const id of ids) await ask(port, "/status/200", id);
    const linesOf = (logger: string) =>
      readFileSync(log, "utf8")
        .split("\n")
        .filter((line) => line.startsWith(`${logger}: `));
    while (linesOf("everything").length < paths.length + ids.length) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await proxy.close();
    logged[name] = names.map(linesOf);
  }
});

after(() => rmSync(directory, { recursive: true }));

for (const [i, name] of names.entries()) {
  test(`an access log for ${name} has the lines Envoy's has`, withEnvoy, () => {
    assert.deepEqual(logged.weft![i], logged.envoy![i]);
  });
}
