import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { compileText } from "../config/testing.ts";
import { encodeSession } from "./session-cookie.ts";
import {
  type Answer,
  type Sent,
  type SideBySide,
  startSideBySide,
  withEnvoy,
} from "./side-by-side-fixture.ts";

const type = "type.googleapis.com/envoy.extensions.filters.http.stateful_session.v3";
const states = "type.googleapis.com/envoy.extensions.http.stateful_session";
const cookie = (fields: string) =>
  `{ name: envoy.http.stateful_session.cookie, typed_config: { "@type": ${states}.cookie.v3.CookieBasedSessionState, cookie: { ${fields} } } }`;
const header = (name: string) =>
  `{ name: envoy.http.stateful_session.header, typed_config: { "@type": ${states}.header.v3.HeaderBasedSessionState, name: ${name} } }`;
const own = (path: string, settings: string, action = "cluster: pair") =>
  `- { match: { prefix: ${path} }, route: { ${action} }, typed_per_filter_config: { session: { "@type": ${type}.StatefulSessionPerRoute, ${settings} } } }`;

const base64 = (text: string) => Buffer.from(text, "latin1").toString("base64");

describe("sessions are kept as in Envoy", withEnvoy, () => {
  const servers: Server[] = [];
  let both: SideBySide;
  let first = "";
  let second = "";

  before(async () => {
    for (let i = 0; i < 2; i++) {
      const server = createServer((request, response) => {
        const { port } = server.address() as AddressInfo;
        response.statusCode = request.headers["x-fail"] === String(port) ? 503 : 200;
        response.end(String(port));
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      servers.push(server);
    }
    const ports = servers.map((server) => (server.address() as AddressInfo).port);
    [first, second] = ports.map((port) => `127.0.0.1:${port}`) as [string, string];
    const endpoints = ports
      .map(
        (port) =>
          `{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } } }`,
      )
      .join(", ");
    both = await startSideBySide({
      filters: `
- name: session
  typed_config: { "@type": ${type}.StatefulSession, session_state: ${cookie("name: s")} }
`,
      routes: [
        own("/strict", `stateful_session: { strict: true, session_state: ${cookie("name: s")} }`),
        own("/header", `stateful_session: { strict: true, session_state: ${header("X-Session")} }`),
        own("/off", "disabled: true"),
        own(
          "/long",
          `stateful_session: { session_state: ${cookie("name: l, ttl: 3600s, path: /long/way, attributes: [{ name: SameSite, value: Strict }, { name: Secure }]")} }`,
        ),
        own(
          "/retry",
          `stateful_session: { session_state: ${cookie("name: s")} }`,
          "cluster: pair, retry_policy: { retry_on: 5xx, retry_host_predicate: [{ name: envoy.retry_host_predicates.previous_hosts, typed_config: { '@type': type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate } }], host_selection_retry_max_attempts: 5 }",
        ),
        "- { match: { prefix: / }, route: { cluster: pair } }",
      ].join("\n"),
      clusters: `
- name: pair
  load_assignment:
    cluster_name: pair
    endpoints: [{ lb_endpoints: [${endpoints}] }]
`,
    });
  });
  after(async () => {
    await both?.close();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  });

  /** What does not depend on which endpoint a balancer took. */
  function shapeOf({ status, headers, body }: Answer): string {
    const told = headers["set-cookie"] ?? headers["x-session"];
    const address = `127.0.0.1:${body}`;
    const forms = [base64(address), encodeSession(address, 0)];
    const shown = forms.reduce((text, form) => text?.replace(form, "(here)"), told);
    return `${status} ${shown?.replace(/="[^"(]{20,}"/, "=(with an end)") ?? ""}`;
  }

  const asked: [name: string, () => Sent, want: string][] = [
    ["a new client is told", () => ({ path: "/" }), '200 s="(here)"; HttpOnly'],
    [
      "one that comes back is told nothing",
      () => ({ path: "/", headers: { cookie: `s=${encodeSession(second, 0)}` } }),
      "200 ",
    ],
    [
      "quotes do not matter",
      () => ({ path: "/", headers: { cookie: `a=b; s="${encodeSession(second, 0)}"` } }),
      "200 ",
    ],
    [
      "the older form is understood",
      () => ({ path: "/", headers: { cookie: `s=${base64(second)}` } }),
      "200 ",
    ],
    [
      "a session that is over begins again",
      () => ({ path: "/", headers: { cookie: `s=${encodeSession(second, 5)}` } }),
      '200 s="(here)"; HttpOnly',
    ],
    [
      "an endpoint that is gone",
      () => ({ path: "/", headers: { cookie: `s=${encodeSession("127.0.0.1:9", 0)}` } }),
      '200 s="(here)"; HttpOnly',
    ],
    ["what is no session", () => ({ path: "/", headers: { cookie: "s=@@@" } }), '200 s="(here)"; HttpOnly'],
    [
      "what is not whole base64",
      () => ({ path: "/", headers: { cookie: `s=${base64(second).slice(0, -1)}` } }),
      '200 s="(here)"; HttpOnly',
    ],
    [
      "strictly, an endpoint that is gone",
      () => ({ path: "/strict", headers: { cookie: `s=${encodeSession("127.0.0.1:9", 0)}` } }),
      "503 ",
    ],
    [
      "strictly, an endpoint that is there",
      () => ({ path: "/strict", headers: { cookie: `s=${encodeSession(first, 0)}` } }),
      "200 ",
    ],
    ["by a header", () => ({ path: "/header" }), "200 (here)"],
    [
      "by a header that is known",
      () => ({ path: "/header", headers: { "x-session": base64(second) } }),
      "200 ",
    ],
    [
      "by a header of nobody",
      () => ({ path: "/header", headers: { "x-session": base64("127.0.0.1:9") } }),
      "503 ",
    ],
    ["by a header of nothing", () => ({ path: "/header", headers: { "x-session": "zzz" } }), "200 (here)"],
    ["off", () => ({ path: "/off" }), "200 "],
    [
      "for as long as is said",
      () => ({ path: "/long/way" }),
      "200 l=(with an end); Max-Age=3600; Path=/long/way; SameSite=Strict; Secure; HttpOnly",
    ],
    [
      "below its path",
      () => ({ path: "/long/way/on" }),
      "200 l=(with an end); Max-Age=3600; Path=/long/way; SameSite=Strict; Secure; HttpOnly",
    ],
    [
      "with a query",
      () => ({ path: "/long/way?x" }),
      "200 l=(with an end); Max-Age=3600; Path=/long/way; SameSite=Strict; Secure; HttpOnly",
    ],
    ["beside its path", () => ({ path: "/long/wayward" }), "200 "],
    ["above its path", () => ({ path: "/long" }), "200 "],
    [
      "a retry goes elsewhere, and is told",
      () => ({
        path: "/retry",
        headers: { cookie: `s=${encodeSession(second, 0)}`, "x-fail": second.split(":")[1]! },
      }),
      '200 s="(here)"; HttpOnly',
    ],
  ];
  for (const [name, question, want] of asked) {
    test(name, async () => {
      const answers = await both.ask(question());
      assert.equal(shapeOf(answers.envoy), want, "Envoy");
      assert.equal(shapeOf(answers.weft), want);
    });
  }

  test("and each understands what the other has told", async () => {
    for (const path of ["/", "/long/way", "/header"]) {
      const { envoy, weft } = await both.ask({ path });
      for (const told of [envoy, weft]) {
        const session = told.headers["x-session"];
        const [cookie] = told.headers["set-cookie"]?.split(";") ?? [];
        const headers: Record<string, string> = session ? { "x-session": session } : { cookie: cookie! };
        for (let i = 0; i < 4; i++) {
          const again = await both.ask({ path, headers });
          assert.deepEqual([again.envoy.body, again.weft.body], [told.body, told.body]);
          assert.equal(again.weft.headers["set-cookie"], undefined);
        }
      }
    }
  });
});

const mistakes: readonly (readonly [settings: string, problem: RegExp])[] = [
  [cookie("name: ''"), /cookie\.name: is empty/],
  [header("''"), /typed_config\.name: is empty/],
  [
    `{ name: envoy.http.stateful_session.envelope, typed_config: { "@type": ${states}.envelope.v3.EnvelopeSessionState, header: { name: x } } }`,
    /session_state/,
  ],
];

test("sessions that cannot be kept are refused", () => {
  for (const [state, problem] of mistakes) {
    const text = `
static_resources:
  listeners:
  - address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: test
          route_config: { virtual_hosts: [{ name: v, domains: ["*"], routes: [] }] }
          http_filters:
          - name: session
            typed_config: { "@type": ${type}.StatefulSession, session_state: ${state} }
          - name: router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
`;
    assert.throws(() => compileText(text), problem);
  }
});
