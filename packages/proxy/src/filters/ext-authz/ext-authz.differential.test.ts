import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { fromBinary, fromJsonString, toBinary, toJson } from "@bufbuild/protobuf";
import {
  CheckRequestSchema,
  CheckResponseSchema,
} from "@weft/xds/gen/envoy/service/auth/v3/external_auth_pb";
import { expectSame, type Sent, withEnvoy } from "../side-by-side-fixture.ts";
import { grpcCluster, startGrpcService } from "../test-grpc-service.ts";

const type = "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3";
const filter = (body: string) => `
- name: authz
  typed_config:
    "@type": ${type}.ExtAuthz
${body.trim().replace(/^/gm, "    ")}
`;
const perRoute = (body: string) =>
  `typed_per_filter_config: { authz: { "@type": ${type}.ExtAuthzPerRoute, ${body} } }`;
const log =
  "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %DYNAMIC_METADATA(envoy.filters.http.ext_authz:k)%";
const stats = ["ok", "denied", "error", "disabled", "failure_mode_allowed"].map(
  (name) => `http.test.ext_authz.${name}`,
);

/** The service does what the request's `x-answer` says: a CheckResponse as JSON, a gRPC status, or nothing. */
const service = () =>
  startGrpcService("/envoy.service.auth.v3.Authorization/Check", (bytes) => {
    const { headers = {} } = fromBinary(CheckRequestSchema, bytes).attributes?.request?.http ?? {};
    const answer = headers["x-answer"] ?? "{}";
    if (answer === "never") return "never";
    if (/^\d+$/.test(answer)) return Number(answer);
    return toBinary(CheckResponseSchema, fromJsonString(CheckResponseSchema, answer));
  });

const header = (key: string, value: string, more: object = {}) => ({ header: { key, value }, ...more });
const answers: readonly (object | string)[] = [
  {},
  { okResponse: {} },
  {
    okResponse: {
      headers: [header("x-set", "1"), header("x-there", "2"), header("x-there", "3", { append: true })],
      headersToRemove: ["x-gone", ":path", "host"],
      responseHeadersToAdd: [header("x-back", "4"), header("x-back", "5")],
    },
  },
  {
    okResponse: {
      headers: [header("x-new", "1", { append: true }), header("x-there", "9", { append: true })],
    },
  },
  { okResponse: { queryParametersToSet: [{ key: "a", value: "new" }] } },
  { okResponse: { queryParametersToRemove: ["a"] } },
  { okResponse: {}, dynamicMetadata: { k: "v", n: 1 } },
  { status: { code: 7 } },
  { status: { code: 7 }, deniedResponse: { status: { code: "Unauthorized" }, body: "who are you?" } },
  {
    status: { code: 16 },
    deniedResponse: {
      status: { code: "Found" },
      headers: [header("location", "/login"), header("set-cookie", "a=b")],
    },
  },
  { status: { code: 7 }, dynamicMetadata: { k: "denied" } },
  "13",
];

const asked = (path: string, answer: object | string): Sent => ({
  path,
  headers: {
    "x-answer": typeof answer === "string" ? answer : JSON.stringify(answer),
    "x-there": "0",
    "x-gone": "x",
  },
});

test("a gRPC service's answers are obeyed as in Envoy", withEnvoy, async () => {
  const authz = await service();
  try {
    await expectSame(
      {
        filters: filter(`
grpc_service: { envoy_grpc: { cluster_name: authz }, timeout: 0.25s }
`),
        routes: [
          `- { match: { prefix: /off }, route: { cluster: upstream }, ${perRoute("disabled: true")} }`,
          "- { match: { prefix: / }, route: { cluster: upstream } }",
        ].join("\n"),
        clusters: grpcCluster("authz", authz.port),
        log,
      },
      [
        ...answers.map((answer) => asked("/?a=old", answer)),
        asked("/off", { status: { code: 7 } }),
        asked("/", "never"),
        {
          ...asked("/", { status: { code: 7 } }),
          headers: { ...asked("/", { status: { code: 7 } }).headers, "content-type": "application/grpc" },
        },
      ],
      stats,
    );
  } finally {
    authz.close();
  }
});

test("without an answer requests pass or fail as in Envoy", withEnvoy, async () => {
  const authz = await service();
  try {
    const setup = { clusters: grpcCluster("authz", authz.port), log };
    const grpc = "grpc_service: { envoy_grpc: { cluster_name: authz }, timeout: 0.25s }";
    await expectSame(
      { ...setup, filters: filter(`${grpc}\nfailure_mode_allow: true\nfailure_mode_allow_header_add: true`) },
      [asked("/", "13"), asked("/", "never"), asked("/", {})],
      stats,
    );
    await expectSame(
      {
        ...setup,
        filters: filter(`${grpc}\nstatus_on_error: { code: ServiceUnavailable }\nstat_prefix: own`),
      },
      [asked("/", "13"), asked("/", { status: { code: 7 } })],
      ["http.test.ext_authz.own.error", "http.test.ext_authz.own.denied"],
    );
    await expectSame(
      {
        ...setup,
        filters: filter(
          `${grpc}\nfilter_enabled: { default_value: { numerator: 0 } }\ndeny_at_disable: { runtime_key: x, default_value: true }`,
        ),
      },
      [asked("/", {})],
      stats,
    );
  } finally {
    authz.close();
  }
});

test("what a gRPC service is told, body included, is what Envoy tells it", withEnvoy, async () => {
  const authz = await service();
  try {
    const questions: readonly Sent[] = [
      { path: "/a?b=c", host: "shop", headers: { "x-a": ["1", "2"], "x-secret": "s" } },
      { path: "/", method: "POST", body: "hello" },
      { path: "/", method: "POST", body: "x".repeat(50) },
      { path: "/nobody", method: "POST", body: "hello" },
      { path: "/context", headers: { "x-a": "1" } },
    ];
    await expectSame(
      {
        filters: filter(`
grpc_service: { envoy_grpc: { cluster_name: authz }, timeout: 5s }
with_request_body: { max_request_bytes: 20, allow_partial_message: true }
disallowed_headers: { patterns: [{ exact: x-secret }] }
`),
        virtualHost: perRoute("check_settings: { context_extensions: { a: host, b: host } }"),
        routes: [
          `- { match: { prefix: /nobody }, route: { cluster: upstream }, ${perRoute("check_settings: { disable_request_body_buffering: true }")} }`,
          `- { match: { prefix: /context }, route: { cluster: upstream }, ${perRoute("check_settings: { context_extensions: { b: route } }")} }`,
          "- { match: { prefix: / }, route: { cluster: upstream } }",
        ].join("\n"),
        clusters: grpcCluster("authz", authz.port),
      },
      questions,
    );
    const told = authz.received.map(comparable);
    questions.forEach((question, i) => {
      assert.deepEqual(told[2 * i + 1], told[2 * i], JSON.stringify(question));
    });
  } finally {
    authz.close();
  }
});

/** A CheckRequest without what differs from one connection or moment to the next. */
function comparable(bytes: Uint8Array): unknown {
  const { attributes } = toJson(CheckRequestSchema, fromBinary(CheckRequestSchema, bytes)) as {
    attributes: Record<string, Record<string, Record<string, unknown>>>;
  };
  const { http } = attributes.request as unknown as { http: Record<string, unknown> };
  delete http.id;
  delete attributes.request!.time;
  delete attributes.source;
  delete attributes.destination;
  delete attributes.metadataContext;
  delete attributes.routeMetadataContext;
  const headers = http.headers as Record<string, string>;
  for (const name of ["x-request-id", "x-forwarded-proto"]) delete headers[name];
  return attributes;
}

test("an HTTP service is asked and obeyed as by Envoy", withEnvoy, async () => {
  const told: unknown[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const varying = new Set([
        "x-request-id",
        "x-forwarded-proto",
        "connection",
        "x-envoy-internal",
        "x-forwarded-for",
        "x-envoy-expected-rq-timeout-ms",
      ]);
      const headers = Object.entries(request.headers).filter(([name]) => !varying.has(name));
      told.push({
        method: request.method,
        url: request.url,
        headers: Object.fromEntries(headers.sort(([a], [b]) => (a < b ? -1 : 1))),
        body: Buffer.concat(chunks).toString(),
      });
      const status = Number(request.headers["x-status"] ?? 200);
      response.writeHead(status, {
        "x-up": "1",
        "x-up-append": "2",
        "x-client": "3",
        "x-meta-k": "4",
        k: "5",
        "x-hidden": "6",
        "www-authenticate": "Basic",
        "x-envoy-auth-headers-to-remove": "x-gone, x-other",
      });
      response.end(status === 200 ? "" : "refused");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const cluster = `
- name: authz
  connect_timeout: 1s
  load_assignment:
    cluster_name: authz
    endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } } }] }]
`;
  const questions: readonly Sent[] = ["200", "401", "403", "302", "500", "503"].flatMap((status): Sent[] => [
    {
      path: "/p?q=r",
      headers: {
        "x-status": status,
        authorization: "me",
        "x-gone": "g",
        "x-up-append": "0",
        "x-b": "b",
        cookie: "c",
      },
    },
    { path: "/", method: "POST", body: "hello", headers: { "x-status": status } },
  ]);
  try {
    await expectSame(
      {
        filters: filter(`
http_service:
  server_uri: { uri: "http://authz", cluster: authz, timeout: 2s }
  path_prefix: /check
  authorization_request: { headers_to_add: [{ key: x-added, value: a }] }
  authorization_response:
    allowed_upstream_headers: { patterns: [{ exact: x-up }] }
    allowed_upstream_headers_to_append: { patterns: [{ exact: x-up-append }] }
    allowed_client_headers: { patterns: [{ exact: x-client }] }
    allowed_client_headers_on_success: { patterns: [{ exact: x-client }] }
    dynamic_metadata_from_headers: { patterns: [{ exact: k }] }
allowed_headers: { patterns: [{ exact: x-status }, { exact: x-b }] }
with_request_body: { max_request_bytes: 100 }
`),
        clusters: cluster,
        log,
      },
      questions,
      stats,
    );
    questions.forEach((question, i) => {
      assert.deepEqual(told[2 * i + 1], told[2 * i], JSON.stringify(question));
    });
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
