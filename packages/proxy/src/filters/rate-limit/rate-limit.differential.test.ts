import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary, fromJson, toBinary } from "@bufbuild/protobuf";
import {
  RateLimitRequestSchema,
  type RateLimitResponse,
  RateLimitResponseSchema,
} from "@weft/xds/gen/envoy/service/ratelimit/v3/rls_pb";
import { expectSame, type Sent, withEnvoy } from "../side-by-side-fixture.ts";
import { grpcCluster, startGrpcService } from "../test-grpc-service.ts";

const type = "type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3";
const local = "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3";
const filter = (body: string) => `
- name: limit
  typed_config:
    "@type": ${type}.RateLimit
    domain: shop
    timeout: 0.25s
    rate_limit_service: { transport_api_version: V3, grpc_service: { envoy_grpc: { cluster_name: rls } } }
${body.trim().replace(/^/gm, "    ")}
`;

/** The service answers what the value of the first pair says, by these names. */
const answers: Readonly<Record<string, object | number | "never">> = {
  ok: { overallCode: "OK" },
  over: { overallCode: "OVER_LIMIT" },
  fields: {
    overallCode: "OK",
    responseHeadersToAdd: [{ key: "X-Back", value: "1" }],
    requestHeadersToAdd: [{ key: "X-On", value: "2" }],
  },
  body: {
    overallCode: "OVER_LIMIT",
    rawBody: Buffer.from("slow down").toString("base64"),
    responseHeadersToAdd: [{ key: "x-back", value: "1" }],
  },
  limits: {
    overallCode: "OK",
    statuses: [
      {
        code: "OK",
        currentLimit: { requestsPerUnit: 10, unit: "MINUTE", name: "m" },
        limitRemaining: 4,
        durationUntilReset: "9s",
      },
      {
        code: "OK",
        currentLimit: { requestsPerUnit: 100, unit: "HOUR" },
        limitRemaining: 2,
        durationUntilReset: "99s",
      },
      { code: "OK", limitRemaining: 1 },
    ],
  },
  unknown: { overallCode: "UNKNOWN" },
  broken: 13,
  never: "never",
};

const service = () =>
  startGrpcService("/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit", (bytes) => {
    const request = fromBinary(RateLimitRequestSchema, bytes);
    const answer = answers[request.descriptors[0]?.entries[0]?.value ?? "ok"] ?? answers.ok!;
    if (typeof answer !== "object") return answer;
    const response: RateLimitResponse = fromJson(RateLimitResponseSchema, answer as never);
    return toBinary(RateLimitResponseSchema, response);
  });

const byHeader =
  "rate_limits: [{ actions: [{ request_headers: { header_name: x-answer, descriptor_key: a } }] }]";
const routes = `- { match: { prefix: / }, route: { cluster: upstream, ${byHeader} } }`;
const asked = Object.keys(answers).map((name): Sent => ({ path: "/", headers: { "x-answer": name } }));
const stats = ["ok", "error", "over_limit", "failure_mode_allowed"].map(
  (name) => `cluster.upstream.ratelimit.${name}`,
);

for (const [what, body] of [
  ["with nothing said", ""],
  ["closed, with limits told", "failure_mode_deny: true\nenable_x_ratelimit_headers: DRAFT_VERSION_03"],
  [
    "with its own words",
    "disable_x_envoy_ratelimited_header: true\nrate_limited_status: { code: ServiceUnavailable }\nrate_limited_as_resource_exhausted: true\nresponse_headers_to_add: [{ header: { key: x-own, value: o } }]\nstatus_on_error: { code: BadGateway }\nfailure_mode_deny: true",
  ],
  ["not enforced", "filter_enforced: { default_value: { numerator: 0 } }"],
] as const) {
  test(`a service's limits are kept as in Envoy, ${what}`, withEnvoy, async () => {
    const rls = await service();
    try {
      await expectSame(
        { filters: filter(body), routes, clusters: grpcCluster("rls", rls.port) },
        [
          ...asked,
          { path: "/" },
          { path: "/", headers: { "x-answer": "over", "content-type": "application/grpc" } },
        ],
        stats,
      );
    } finally {
      rls.close();
    }
  });
}

test("requests are counted under what Envoy counts them under", withEnvoy, async () => {
  const rls = await service();
  const actions = [
    "generic_key: { descriptor_value: v }",
    "generic_key: { descriptor_value: v, descriptor_key: k }",
    "source_cluster: {}",
    "destination_cluster: {}",
    "request_headers: { header_name: x-a, descriptor_key: h }",
    "request_headers: { header_name: ':path', descriptor_key: p }",
    "query_parameters: { query_parameter_name: q, descriptor_key: q }",
    "remote_address: {}",
    "masked_remote_address: { v4_prefix_mask_len: 9 }",
    "header_value_match: { descriptor_value: m, headers: [{ name: x-a, string_match: { prefix: '1' } }] }",
    "header_value_match: { descriptor_value: m, expect_match: false, headers: [{ name: x-a, string_match: { prefix: '1' } }] }",
    "query_parameter_value_match: { descriptor_value: m, query_parameters: [{ name: q, string_match: { exact: '2' } }] }",
    "metadata: { descriptor_key: d, metadata_key: { key: none, path: [{ key: k }] }, default_value: fallback }",
    "metadata: { descriptor_key: d, metadata_key: { key: none, path: [{ key: k }] } }",
  ];
  const limits = [
    ...actions.map((action) => `{ actions: [{ ${action} }] }`),
    "{ stage: 1, actions: [{ generic_key: { descriptor_value: other-stage } }] }",
    "{ actions: [{ generic_key: { descriptor_value: first } }, { request_headers: { header_name: x-a, descriptor_key: h } }] }",
    "{ actions: [{ generic_key: { descriptor_value: first } }, { request_headers: { header_name: x-a, descriptor_key: h, skip_if_absent: true } }] }",
  ];
  const perRoute = (body: string) =>
    `typed_per_filter_config: { limit: { "@type": ${type}.RateLimitPerRoute, ${body} } }`;
  const own = "rate_limits: [{ actions: [{ generic_key: { descriptor_value: own } }] }]";
  const questions: readonly Sent[] = [
    ...["/", "/?q=1", "/?q=2&q=3"].flatMap((path): Sent[] => [
      { path },
      { path, headers: { "x-a": "1" } },
      { path, headers: { "x-a": ["2", "3"] } },
    ]),
    ...["/none", "/own", "/include", "/included", "/ignore", "/replaced"].map((path) => ({ path })),
  ];
  try {
    await expectSame(
      {
        filters: filter(""),
        virtualHost: "rate_limits: [{ actions: [{ generic_key: { descriptor_value: host } }] }]",
        routes: [
          "- { match: { prefix: /none }, route: { cluster: upstream } }",
          `- { match: { prefix: /own }, route: { cluster: upstream, ${own} } }`,
          `- { match: { prefix: /included }, route: { cluster: upstream, include_vh_rate_limits: true, ${own} } }`,
          `- { match: { prefix: /include }, route: { cluster: upstream, ${own} }, ${perRoute("vh_rate_limits: INCLUDE, domain: other")} }`,
          `- { match: { prefix: /ignore }, route: { cluster: upstream }, ${perRoute("vh_rate_limits: IGNORE")} }`,
          `- { match: { prefix: /replaced }, route: { cluster: upstream, ${own} }, ${perRoute("rate_limits: [{ actions: [{ generic_key: { descriptor_value: replaced } }] }]")} }`,
          `- { match: { prefix: / }, route: { cluster: upstream, rate_limits: [${limits.join(", ")}] } }`,
        ].join("\n"),
        clusters: grpcCluster("rls", rls.port),
      },
      questions,
    );
    const told = rls.received.map((bytes) => {
      const { domain, descriptors } = fromBinary(RateLimitRequestSchema, bytes);
      return [
        domain,
        ...descriptors.map(({ entries }) => entries.map(({ key, value }) => `${key}=${value}`).join(" ")),
      ];
    });
    assert.equal(told.length % 2, 0);
    for (let i = 0; i < told.length; i += 2) assert.deepEqual(told[i + 1], told[i]);
  } finally {
    rls.close();
  }
});

const bucket = (tokens: number) =>
  `token_bucket: { max_tokens: ${tokens}, tokens_per_fill: 1, fill_interval: 3600s }`;
const always =
  "filter_enabled: { default_value: { numerator: 100 } }, filter_enforced: { default_value: { numerator: 100 } }";
const localFilter = (body: string) =>
  `\n- name: limit\n  typed_config: { "@type": ${local}.LocalRateLimit, stat_prefix: loc, ${body} }\n`;
const localStats = ["enabled", "enforced", "ok", "rate_limited"].map(
  (name) => `loc.http_local_rate_limit.${name}`,
);
const times = (count: number, sent: Sent): Sent[] => Array.from({ length: count }, () => sent);

for (const [what, body] of [
  ["plainly", `${bucket(2)}, ${always}`],
  [
    "with limits told",
    `${bucket(2)}, ${always}, enable_x_ratelimit_headers: DRAFT_VERSION_03, response_headers_to_add: [{ header: { key: x-limited, value: "yes" } }]`,
  ],
  [
    "with another status",
    `${bucket(1)}, ${always}, status: { code: ServiceUnavailable }, rate_limited_as_resource_exhausted: true`,
  ],
  ["off", bucket(1)],
  [
    "without enforcing",
    `${bucket(1)}, filter_enabled: { default_value: { numerator: 100 } }, request_headers_to_add_when_not_enforced: [{ header: { key: x-over, value: "yes" } }]`,
  ],
] as const) {
  test(`token buckets limit as in Envoy, ${what}`, withEnvoy, () =>
    expectSame(
      { filters: localFilter(body) },
      [...times(4, { path: "/" }), { path: "/", headers: { "content-type": "application/grpc" } }],
      localStats,
    ),
  );
}

test("buckets of descriptors, routes and connections limit as in Envoy", withEnvoy, () =>
  expectSame(
    {
      filters: localFilter(
        `${bucket(100)}, ${always}, enable_x_ratelimit_headers: DRAFT_VERSION_03, descriptors: [{ entries: [{ key: u, value: ann }], ${bucket(2)} }, { entries: [{ key: u, value: bob }], ${bucket(1)} }]`,
      ),
      routes: [
        `- { match: { prefix: /route }, route: { cluster: upstream }, typed_per_filter_config: { limit: { "@type": ${local}.LocalRateLimit, stat_prefix: own, ${bucket(1)}, ${always} } } }`,
        `- { match: { prefix: /connection }, route: { cluster: upstream }, typed_per_filter_config: { limit: { "@type": ${local}.LocalRateLimit, stat_prefix: own, ${bucket(1)}, ${always}, local_rate_limit_per_downstream_connection: true } } }`,
        "- { match: { prefix: / }, route: { cluster: upstream, rate_limits: [{ actions: [{ request_headers: { header_name: x-u, descriptor_key: u } }] }] } }",
      ].join("\n"),
    },
    [
      ...times(3, { path: "/", headers: { "x-u": "ann" } }),
      ...times(2, { path: "/", headers: { "x-u": "bob" } }),
      ...times(2, { path: "/", headers: { "x-u": "eve" } }),
      ...times(2, { path: "/" }),
      ...times(3, { path: "/route" }),
      ...times(2, { path: "/connection" }),
    ],
    localStats,
  ),
);
