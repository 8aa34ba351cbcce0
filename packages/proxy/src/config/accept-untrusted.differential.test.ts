/** Client certificates before Envoy and this sidecar, where those that do not verify are let in (`ACCEPT_UNTRUSTED`). */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import tls from "node:tls";
import { TestCa, type TestSvid } from "@weft/testkit/test-ca";
import { type Contender, envoyOrSkip, startBoth } from "../test-contenders.ts";
import { extensionType, inlineString } from "./test-tls-echo.ts";

const ca = new TestCa();
const stranger = new TestCa();
const own = ca.leaf("default", "server");
const named = (of: TestCa, name: string) => of.leaf("a", "b", { uris: [], dnsNames: [name] });

const anyPort = { socket_address: { address: "127.0.0.1", port_value: 0 } };
const answer = (prefix: string, body: string, tls_context: object) => ({
  match: { prefix, tls_context },
  direct_response: { status: 200, body: { inline_string: body } },
});

/** Says of a client's certificate whether it was shown and whether it was verified, and hands it on. */
function bootstrap(requires: boolean) {
  const manager = {
    "@type": extensionType("filters.network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: "in",
    forward_client_cert_details: "SANITIZE_SET",
    set_current_client_cert_details: { dns: true },
    http_filters: [
      {
        name: "router",
        typed_config: { "@type": extensionType("filters.http.router.v3.Router") },
      },
    ],
    route_config: {
      response_headers_to_add: [
        { header: { key: "told", value: "%REQ(x-forwarded-client-cert)%" } },
        { header: { key: "logged", value: "%DOWNSTREAM_PEER_DNS_SAN%" } },
      ],
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [
            answer("/", "verified", { presented: true, validated: true }),
            answer("/", "shown", { presented: true, validated: false }),
            answer("/", "none", { presented: false }),
          ],
        },
      ],
    },
  };
  const socket = {
    "@type": extensionType("transport_sockets.tls.v3.DownstreamTlsContext"),
    require_client_certificate: requires,
    common_tls_context: {
      tls_certificates: [
        { certificate_chain: inlineString(own.certificate.pem), private_key: inlineString(own.keyPem) },
      ],
      validation_context: {
        trusted_ca: inlineString(ca.bundlePem),
        trust_chain_verification: "ACCEPT_UNTRUSTED",
        match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: "friend.example.com" } }],
      },
    },
  };
  const chain = {
    filters: [{ name: "http", typed_config: manager }],
    transport_socket: { name: "tls", typed_config: socket },
  };
  return {
    admin: { address: anyPort },
    static_resources: { listeners: [{ name: "l", address: anyPort, filter_chains: [chain] }] },
  };
}

const cases: readonly [what: string, svid: TestSvid | undefined, expected: string][] = [
  ["of the right authority and name", named(ca, "friend.example.com"), "verified friend.example.com"],
  ["of the right authority, with another name", named(ca, "other.example.com"), "shown other.example.com"],
  ["of another authority", named(stranger, "friend.example.com"), "shown friend.example.com"],
  ["that has expired", ca.badLeaves().expired, "shown "],
];

for (const requires of [false, true]) {
  describe(`where a certificate is ${requires ? "required" : "not required"} and need not verify, one`, {
    skip: envoyOrSkip,
  }, () => {
    let contenders: readonly Contender[] = [];
    before(async () => {
      contenders = await startBoth(bootstrap(requires));
    });
    after(async () => {
      for (const one of contenders) await one.close();
    });

    const all = [...cases, ["that is missing", undefined, requires ? "refused" : "none "] as const];
    for (const [what, svid, expected] of all) {
      it(`${what}: ${expected}`, async () => {
        const answers: Record<string, string> = {};
        for (const { name, port } of contenders) answers[name] = await asked(port, svid);
        assert.deepEqual(answers, { Envoy: expected, Weft: expected });
      });
    }
  });
}

/** What the route says of the certificate, and the name in it that is told and logged. */
async function asked(port: number, svid: TestSvid | undefined): Promise<string> {
  const socket = tls.connect({
    host: "127.0.0.1",
    port,
    rejectUnauthorized: false,
    ...(svid && { key: svid.keyPem, cert: svid.chainPem }),
  });
  let text = "";
  socket.on("secureConnect", () => socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n"));
  socket.on("data", (bytes) => {
    text += bytes;
    const [head = "", body = ""] = text.split("\r\n\r\n");
    if (body.length > 0 && body.length === Number(/content-length: (\d+)/i.exec(head)?.[1])) socket.destroy();
  });
  socket.on("error", () => {});
  await new Promise((resolve) => socket.on("close", resolve));
  const [head = "", body = ""] = text.split("\r\n\r\n");
  if (body === "") return "refused";
  const told = /DNS=([^;\r]*)/.exec(head)?.[1] ?? "";
  assert.equal(/^logged: (\S*)/m.exec(head)?.[1] ?? "-", told || "-");
  return `${body} ${told}`;
}
