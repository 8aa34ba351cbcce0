import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatDiagnostic } from "@weft/base/diagnostics";
import { parseMeshConfig } from "./parse-mesh-config.ts";

const read = (text: string) => {
  const { spec, diagnostics } = parseMeshConfig({ name: "mesh.yaml", text });
  return { spec, findings: diagnostics.map(formatDiagnostic) };
};
const http = (fields: string) =>
  `extensionProviders: [{ name: a, envoyExtAuthzHttp: { service: a.example, port: 80, ${fields} } }]\n`;

describe("MeshConfig", () => {
  it("may say nothing", () => {
    assert.deepEqual(read(""), { spec: {}, findings: [] });
  });

  it("is taken as it is written", () => {
    const text = `pathNormalization: { normalization: MERGE_SLASHES }
outboundTrafficPolicy: { mode: REGISTRY_ONLY }
${http('timeout: 5s, statusOnError: "503", headersToUpstreamOnAllow: [x-user, "x-auth-*"]')}`;
    assert.deepEqual(read(text).findings, []);
    assert.equal(read(text).spec?.pathNormalization?.normalization, "MERGE_SLASHES");
  });

  it("names more statistics than the usual ones, which are shown anyway", () => {
    const text =
      "defaultConfig: { extraStatTags: [x], proxyStatsMatcher: { inclusionPrefixes: [cluster.outbound] } }\n";
    const { spec, findings } = read(text);
    assert.notEqual(spec, undefined);
    assert.match(
      findings.join("\n"),
      /info W1305: .*proxyStatsMatcher is not used: every statistic is shown/,
    );
    assert.match(findings.join("\n"), /info W1305: .*extraStatTags is not used/);
  });

  const wrong: readonly [what: string, text: string, expected: RegExp][] = [
    [
      "a field that is not applied",
      "enableEnvoyAccessLogService: true\n",
      /1:1: error W1101: unknown field enableEnvoyAccessLogService/,
    ],
    [
      "a level of normalization that there is not",
      "pathNormalization: { normalization: ALL }\n",
      /error W1103: .*unknown value ALL/,
    ],
    ["a provider of nothing", "extensionProviders: [{ name: a }]\n", /error W1104: .*names no service/],
    [
      "a provider of another kind",
      "extensionProviders: [{ name: a, datadog: { service: z, port: 1 } }]\n",
      /error W1101: unknown field extensionProviders\[0\]\.datadog/,
    ],
    [
      "two providers of one name",
      "extensionProviders: [{ name: a, envoyExtAuthzGrpc: { service: a.b, port: 1 } }, { name: a, envoyExtAuthzGrpc: { service: a.b, port: 1 } }]\n",
      /error W1210: provider a is written twice/,
    ],
    ["a name that metadata cannot carry", http("").replace("name: a", "name: A_b"), /error W1010/],
    ["a port that is none", http("").replace("80", "0"), /error W1208/],
    ["a status that is none", http('statusOnError: "99"'), /error W1105: .*not a response status/],
    ["every header of a request", http('includeRequestHeadersInCheck: ["*"]'), /error W1105: .*every header/],
    [
      "a body without limit",
      http("includeRequestBodyInCheck: { maxRequestBytes: 0 }"),
      /error W1105: .*out of range/,
    ],
    ["a path that is none", http("pathPrefix: check"), /error W1105: .*does not begin with/],
    [
      "fewer proxies than none",
      "defaultConfig: { gatewayTopology: { numTrustedProxies: -1 } }\n",
      /error W1105: .*out of range/,
    ],
    [
      "a log format in JSON that is none",
      "accessLogEncoding: JSON\naccessLogFormat: '%PROTOCOL%'\n",
      /error W1105: accessLogFormat is not JSON/,
    ],
    [
      "labels of a log record that are no text",
      "extensionProviders: [{ name: a, envoyOtelAls: { service: a.b, port: 1, logFormat: { labels: { a: 1 } } } }]\n",
      /error W1102: .*labels\.a must be a string/,
    ],
    [
      "a detector of resources that is not read",
      "extensionProviders: [{ name: a, opentelemetry: { service: a.b, port: 1, resourceDetectors: { dynatrace: {} } } }]\n",
      /error W1101: unknown field .*dynatrace/,
    ],
    [
      "spans by HTTP and gRPC at once",
      "extensionProviders: [{ name: a, opentelemetry: { service: a.b, port: 1, http: { path: /v1 }, grpc: {} } }]\n",
      /error W1106: .*http and grpc/,
    ],
    [
      "a collector without a port",
      "defaultConfig: { tracing: { zipkin: { address: zipkin } } }\n",
      /error W1105: .*not a host and a port/,
    ],
    [
      "more than all requests",
      "defaultConfig: { tracing: { sampling: 101 } }\n",
      /error W1105: .*out of range/,
    ],
    ["a time that is none", "connectTimeout: soon\n", /error W1201/],
    [
      "two documents",
      "rootNamespace: a\n---\nrootNamespace: b\n",
      /error W1006: a MeshConfig is one document/,
    ],
  ];
  for (const [what, text, expected] of wrong) {
    it(`is refused as a whole for ${what}`, () => {
      const { spec, findings } = read(text);
      assert.equal(spec, undefined);
      assert.equal(findings.length, 1, findings.join("\n"));
      assert.match(findings[0]!, expected);
    });
  }
});
