/** AuthorizationPolicy before Envoy and this sidecar alike: every action, dry runs, TCP, and what logs and statistics say of them. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { MeshDefaults } from "@weft/control/model/mesh-options";
import { meshSettings } from "@weft/control/model/mesh-settings";
import { envoyOrSkip } from "@weft/proxy/test-contenders";
import { TestCa } from "@weft/testkit/test-ca";
import { until } from "../../packages/testkit/src/until.ts";
import { type GuardedSidecar, startGuarded } from "./guarded-sidecar.ts";
import { type Provider, startGrpcProvider, startHttpProvider } from "./providers.ts";
import { exchange, request } from "./raw-client.ts";

const policy = (name: string, spec: string, more = "") => `
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ${name}, namespace: default${more} }
spec: ${spec}
`;
const dryRun = ', annotations: { "istio.io/dry-run": "true" }';
const paths = (...list: string[]) =>
  `to: [{ operation: { paths: [${list.map((one) => `"${one}"`).join(", ")}] } }]`;
const service = (host: string, port: number, protocol: string) => `
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${host.split(".")[0]}, namespace: default }
spec:
  hosts: [${host}]
  ports: [{ number: ${port}, name: main, protocol: ${protocol} }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1 }]
`;

const yaml = (ports: { http: number; grpc: number; gone: number }) => `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: strict }
spec: { mtls: { mode: STRICT } }
${service("by-http.example", ports.http, "HTTP")}${service("by-grpc.example", ports.grpc, "GRPC")}${service("gone.example", ports.gone, "HTTP")}
${policy("ask-http", `{ action: CUSTOM, provider: { name: by }, rules: [{ ${paths("/http*")} }] }`)}
${policy("ask-grpc", `{ action: CUSTOM, provider: { name: by-grpc }, rules: [{ ${paths("/grpc*")} }] }`)}
${policy("ask-nobody", `{ action: CUSTOM, provider: { name: gone }, rules: [{ ${paths("/gone")} }] }`)}
${policy("ask-open", `{ action: CUSTOM, provider: { name: gone-open }, rules: [{ ${paths("/open")} }] }`)}
${policy("ask-dry", `{ action: CUSTOM, provider: { name: by }, rules: [{ ${paths("/dry*")} }] }`, dryRun)}
${policy("audit", `{ action: AUDIT, rules: [{ ${paths("/audited")} }] }`)}
${policy("deny", `{ action: DENY, rules: [{ ${paths("/denied")} }, { from: [{ source: { principals: ["cluster.local/ns/default/sa/banned"] } }] }] }`)}
${policy("dry-deny", `{ action: DENY, rules: [{ ${paths("/dry-denied")} }] }`, dryRun)}
${policy("allow", `{ rules: [{ from: [{ source: { namespaces: [default], notServiceAccounts: [] } }] }] }`).replace(", notServiceAccounts: []", "")}
${policy("dry-allow", `{ rules: [{ ${paths("/http*", "/dry-allowed")} }] }`, dryRun)}
`;

const authority = new TestCa();
const friend = authority.leaf("default", "friend");
const banned = authority.leaf("default", "banned");
const stranger = authority.leaf("other", "friend");
const meta = (key: string) => `%DYNAMIC_METADATA(envoy.filters.http.rbac:${key})%`;
const logFormat = [
  "%REQ(:PATH)%",
  "%RESPONSE_CODE_DETAILS%",
  "%CONNECTION_TERMINATION_DETAILS%",
  meta("istio_dry_run_deny_shadow_effective_policy_id"),
  meta("istio_dry_run_allow_shadow_engine_result"),
  "%DYNAMIC_METADATA(envoy.common:access_log_hint)%",
].join(" ");

describe("authorization", { skip: envoyOrSkip }, () => {
  const directory = mkdtempSync(join(tmpdir(), "weft-policy-"));
  let sidecars: readonly GuardedSidecar[] = [];
  let http: Provider;
  let grpc: Provider;

  before(async () => {
    http = await startHttpProvider();
    grpc = await startGrpcProvider();
    const gone = 9;
    const { meshDefaults } = meshSettings({
      extensionProviders: [
        {
          name: "by",
          envoyExtAuthzHttp: {
            service: "by-http.example",
            port: http.port,
            timeout: "20s",
            pathPrefix: "/check",
            includeRequestHeadersInCheck: ["x-ans*"],
            headersToUpstreamOnAllow: ["x-checked"],
          },
        },
        {
          name: "by-grpc",
          envoyExtAuthzGrpc: { service: "by-grpc.example", port: grpc.port, timeout: "20s" },
        },
        { name: "gone", envoyExtAuthzHttp: { service: "gone.example", port: gone, statusOnError: "503" } },
        { name: "gone-open", envoyExtAuthzHttp: { service: "gone.example", port: gone, failOpen: true } },
      ],
    });
    sidecars = await startGuarded({
      yaml: yaml({ http: http.port, grpc: grpc.port, gone }),
      authority,
      directory,
      defaults: meshDefaults as Partial<MeshDefaults>,
      logFormat: `${logFormat}\n`,
    });
  });
  after(async () => {
    for (const one of sidecars) await one.close();
    http?.close();
    grpc?.close();
    rmSync(directory, { recursive: true });
  });

  const cases: readonly [
    what: string,
    caller: typeof friend,
    path: string,
    answer: string,
    status: number,
  ][] = [
    ["a caller that is allowed", friend, "/", "", 200],
    ["a caller of another namespace", stranger, "/", "", 403],
    ["a path that is denied", friend, "/denied", "", 403],
    ["a caller that is denied", banned, "/", "", 403],
    ["a path that is denied, with a query", friend, "/denied?a=/", "", 403],
    ["a path that begins like it", friend, "/denied1", "", 200],
    ["who an HTTP service lets pass", friend, "/http/a", "yes", 200],
    ["who an HTTP service does not", friend, "/http/a", "no", 401],
    ["who an HTTP service lets pass and nobody allows", stranger, "/http/a", "yes", 403],
    ["who a gRPC service lets pass", friend, "/grpc/a", "yes", 200],
    ["who a gRPC service does not", friend, "/grpc/a", "no", 403],
    ["what a service that is away is asked about", friend, "/gone", "yes", 503],
    ["the same where it fails open", friend, "/open", "", 200],
    ["what only a dry run asks about", friend, "/dry-custom", "no", 200],
    ["what only a dry run denies", friend, "/dry-denied", "", 200],
    ["what is audited", friend, "/audited", "", 200],
  ];
  for (const [what, svid, path, answer, status] of cases) {
    it(`${what}: ${status}`, async () => {
      for (const { name, httpPort, http: application } of sidecars) {
        const before = application.bytes;
        const reply = await exchange(
          { port: httpPort, tls: { svid } },
          request(`GET ${path}`, `x-answer: ${answer}`),
        );
        assert.equal(reply.status, status, `${name}: ${reply.text}${reply.error}`);
        if (status !== 200) assert.equal(application.bytes, before, `${name}: the application got something`);
      }
    });
  }

  it("asks each service about its own requests, and tells the application what it said", async () => {
    http.asked.length = 0;
    grpc.asked.length = 0;
    for (const { name, httpPort } of sidecars) {
      const ask = (path: string) =>
        exchange({ port: httpPort, tls: { svid: friend } }, request(`GET ${path}`, "x-answer: yes"));
      assert.match((await ask("/http/1")).text, /x-checked: by-http/, name);
      assert.doesNotMatch((await ask("/http/1")).text, /x-secret/, name);
      await ask("/grpc/1");
      await ask("/");
    }
    assert.deepEqual(http.asked, ["/check/http/1", "/check/http/1", "/check/http/1", "/check/http/1"]);
    assert.deepEqual(grpc.asked, ["/grpc/1", "/grpc/1"]);
  });

  it("names the policy and the rule in the log, also of dry runs and audits", async () => {
    for (const { name, log } of sidecars) {
      const expected = [
        "/denied rbac_access_denied_matched_policy[ns[default]-policy[deny]-rule[0]] - - - false",
        "/dry-denied via_upstream - ns[default]-policy[dry-deny]-rule[0] denied false",
        "/audited via_upstream - - denied true",
        "/http/a via_upstream - - allowed false",
      ];
      for (const line of expected) {
        await until(`"${line}" in the log of ${name}`, () => log().includes(line), { said: log });
      }
    }
  });

  it("counts what dry runs would have done", async () => {
    for (const { name, http: application, admin } of sidecars) {
      const stats = await admin("/stats");
      const prefix = `http.inbound_0.0.0.0_${application.port}.rbac.`;
      for (const stat of ["istio_dry_run_deny_.shadow_denied", "istio_dry_run_allow_.shadow_allowed"]) {
        const found = new RegExp(`^${`${prefix}${stat}`.replaceAll(".", "\\.")}: ([1-9]\\d*)$`, "m");
        assert.match(stats, found, `${name}: ${stat}\n${stats.match(/.*rbac.*/g)?.join("\n")}`);
      }
    }
  });
});

describe("authorization of connections", { skip: envoyOrSkip }, () => {
  const directory = mkdtempSync(join(tmpdir(), "weft-policy-"));
  let sidecars: readonly GuardedSidecar[] = [];
  after(async () => {
    for (const one of sidecars) await one.close();
    rmSync(directory, { recursive: true });
  });

  const start = async (policies: readonly string[], defaults: Partial<MeshDefaults> = {}) => {
    for (const one of sidecars) await one.close();
    sidecars = await startGuarded({ yaml: policies.join(""), authority, directory, defaults });
  };
  /** Whether bytes reached the application, by who sent them. */
  const reached = async (sidecar: GuardedSidecar, svid: typeof friend) => {
    const before = sidecar.tcp.bytes;
    await exchange({ port: sidecar.tcpPort, tls: { svid }, endsAfterwards: true }, "PING\r\n\r\n");
    return sidecar.tcp.bytes > before;
  };

  it("allows by what is seen of a connection, and nothing by what only a request shows", async () => {
    await start([
      policy("by-name", '{ rules: [{ from: [{ source: { principals: ["*/sa/friend"] } }] }] }'),
      policy(
        "by-path",
        `{ rules: [{ from: [{ source: { principals: ["*/sa/banned"] } }], ${paths("/")} }] }`,
      ),
    ]);
    for (const one of sidecars) {
      assert.equal(await reached(one, friend), true, one.name);
      assert.equal(await reached(one, banned), false, one.name);
    }
  });

  it("asks Envoy's protocol about connections, where a CUSTOM policy matches, and denies what cannot be asked", async () => {
    const grpc = await startGrpcProvider();
    const { meshDefaults } = meshSettings({
      extensionProviders: [
        {
          name: "by-grpc",
          envoyExtAuthzGrpc: { service: "by-grpc.example", port: grpc.port, timeout: "20s" },
        },
        { name: "by-http", envoyExtAuthzHttp: { service: "by-http.example", port: 9 } },
      ],
    });
    const defaults = meshDefaults as Partial<MeshDefaults>;
    const custom = (provider: string, port: string) =>
      policy(
        "ask",
        `{ action: CUSTOM, provider: { name: ${provider} }, rules: [{ to: [{ operation: { ports: [${port}] } }] }] }`,
      );
    const services = service("by-grpc.example", grpc.port, "GRPC") + service("by-http.example", 9, "HTTP");
    try {
      await start([services, custom("by-grpc", "TCP_PORT")], defaults);
      for (const one of sidecars) {
        grpc.asked.length = 0;
        assert.equal(await reached(one, friend), true, one.name);
        assert.equal(await reached(one, banned), false, one.name);
        const asked = [friend, banned].map(({ certificate }) => certificate.facts.uris[0]);
        assert.deepEqual(grpc.asked, asked, one.name);
      }
      await start([services, custom("by-grpc", '"1"')], defaults);
      for (const one of sidecars) {
        grpc.asked.length = 0;
        assert.equal(await reached(one, banned), true, one.name);
        assert.deepEqual(grpc.asked, [], one.name);
      }
      await start([services, custom("by-http", "TCP_PORT")], defaults);
      for (const one of sidecars) assert.equal(await reached(one, friend), false, one.name);
    } finally {
      grpc.close();
    }
  });
});
