import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import net, { type AddressInfo } from "node:net";
import { describe, it } from "node:test";
import tls from "node:tls";
import { systemClock } from "@weft/base/clock";
import { TestCa, type TestSvid } from "@weft/testkit/test-ca";
import { PeerCertificate } from "../net/peer-certificate.ts";
import { Timers } from "../net/timers.ts";
import { type AcceptedTls, acceptTls } from "../net/tls-accept.ts";
import type { DownstreamTlsPlan, UpstreamTlsPlan } from "../net/tls-plan.ts";
import { compileText } from "./testing.ts";

const ca = new TestCa();
const named = (...dnsNames: string[]) => ca.leaf("default", "web", { uris: [], dnsNames });
const inline = (text: string) => ({ inline_string: text });
const certificateOf = ({ chainPem, keyPem }: TestSvid) => ({
  certificate_chain: inline(chainPem),
  private_key: inline(keyPem),
});
const tlsType = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.";
const address = { socket_address: { address: "127.0.0.1", port_value: 1 } };

function downstream(context: { common_tls_context?: object } & Record<string, unknown>): DownstreamTlsPlan {
  const echo = { "@type": "type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo" };
  const common = { tls_certificates: [certificateOf(named("a.example"))], ...context.common_tls_context };
  const transport_socket = {
    name: "tls",
    typed_config: { "@type": `${tlsType}DownstreamTlsContext`, ...context, common_tls_context: common },
  };
  const filter_chains = [{ filters: [{ name: "echo", typed_config: echo }], transport_socket }];
  const text = JSON.stringify({ static_resources: { listeners: [{ name: "l", address, filter_chains }] } });
  return compileText(text).listeners[0]!.plan.chains[0]!.tls!;
}

function upstream(context: Record<string, unknown>): UpstreamTlsPlan {
  const transport_socket = {
    name: "tls",
    typed_config: { "@type": `${tlsType}UpstreamTlsContext`, ...context },
  };
  const load_assignment = { cluster_name: "c", endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] };
  const cluster = { name: "c", connect_timeout: "1s", load_assignment, transport_socket };
  const text = JSON.stringify({ static_resources: { clusters: [cluster] } });
  return compileText(text).clusters[0]!.plan.transports[0]!.tls!;
}

/** One handshake with a listener of this plan: what the client sees. */
async function shake(plan: DownstreamTlsPlan, options: tls.ConnectionOptions) {
  const timers = new Timers(systemClock);
  const server = net.createServer((raw) => {
    acceptTls(
      raw,
      Buffer.alloc(0),
      plan,
      { timers, timeoutMs: 0 },
      {
        onAccepted: ({ socket }: AcceptedTls) => void socket.end("hello"),
        onRefused() {},
      },
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  let session: Buffer | undefined;
  const socket = tls.connect({
    host: "127.0.0.1",
    port,
    ca: ca.bundlePem,
    checkServerIdentity: () => undefined,
    ...options,
  });
  socket.on("session", (ticket: Buffer) => {
    session = ticket;
  });
  const error = await new Promise<string>((resolve) => {
    socket.on("error", (reason: NodeJS.ErrnoException) => resolve(reason.code ?? reason.message));
    socket.on("end", () => resolve(""));
    socket.resume();
  });
  const shown = error === "" ? socket.getPeerX509Certificate() : undefined;
  const seen = {
    error,
    session,
    isReused: socket.isSessionReused(),
    version: socket.getProtocol(),
    cipher: error === "" ? socket.getCipher().name : "",
    dnsNames: shown ? new PeerCertificate(shown).dnsNames : [],
  };
  socket.destroy();
  server.close();
  timers.close();
  return seen;
}

describe("a listener with several certificates", () => {
  const plan = downstream({
    common_tls_context: {
      tls_certificates: ["first.example", "*.wild.example", "a.wild.example", "other.example"].map((name) =>
        certificateOf(named(name)),
      ),
    },
  });
  for (const [asked, shown] of [
    ["first.example", "first.example"],
    ["OTHER.example", "other.example"],
    ["a.wild.example", "a.wild.example"],
    ["b.wild.example", "*.wild.example"],
    ["b.a.wild.example", "first.example"],
    ["unknown.example", "first.example"],
    [undefined, "first.example"],
  ] as const) {
    it(`shows ${shown} to a client that asks for ${asked ?? "nobody"}`, async () => {
      const { dnsNames } = await shake(plan, { servername: asked ?? "" });
      assert.deepEqual(dnsNames, [shown]);
    });
  }
});

describe("a listener's TLS", () => {
  it("prefers its own order of ciphers, or the client's where it is told to", async () => {
    const ciphers = { cipher_suites: ["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256"] };
    const common_tls_context = { tls_params: ciphers };
    const client = {
      ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384",
      maxVersion: "TLSv1.2",
    } as const;
    const ours = await shake(downstream({ common_tls_context }), client);
    assert.equal(ours.cipher, "ECDHE-ECDSA-AES256-GCM-SHA384");
    const theirs = await shake(downstream({ common_tls_context, prefer_client_ciphers: true }), client);
    assert.equal(theirs.cipher, "ECDHE-ECDSA-AES128-GCM-SHA256");
  });

  it("refuses versions outside its limits", async () => {
    const only13 = downstream({
      common_tls_context: { tls_params: { tls_minimum_protocol_version: "TLSv1_3" } },
    });
    assert.notEqual((await shake(only13, { maxVersion: "TLSv1.2" })).error, "");
    assert.equal((await shake(only13, {})).version, "TLSv1.3");
    const only12 = downstream({
      common_tls_context: { tls_params: { tls_maximum_protocol_version: "TLSv1_2" } },
    });
    assert.notEqual((await shake(only12, { minVersion: "TLSv1.3" })).error, "");
  });

  it("resumes by ticket, by a shared key also elsewhere, or not at all", async () => {
    const maxVersion = "TLSv1.2" as const;
    const keys = [{ inline_bytes: Buffer.alloc(80, 7).toString("base64") }];
    const shared = { session_ticket_keys: { keys } };
    const once = await shake(downstream(shared), { maxVersion });
    assert.equal((await shake(downstream(shared), { maxVersion, session: once.session })).isReused, true);
    const alone = await shake(downstream({}), { maxVersion });
    assert.equal((await shake(downstream({}), { maxVersion, session: alone.session })).isReused, false);
    const off = downstream({ disable_stateless_session_resumption: true });
    const never = await shake(off, { maxVersion });
    assert.equal((await shake(off, { maxVersion, session: never.session })).isReused, false);
  });

  it("says which field is wrong", () => {
    const keys = [{ inline_string: "short" }];
    assert.throws(
      () => downstream({ session_ticket_keys: { keys } }),
      /session_ticket_keys\.keys\[0\]: has 5 bytes, not 80/,
    );
    assert.throws(
      () => downstream({ session_ticket_keys: { keys: [...keys, ...keys] } }),
      /session_ticket_keys\.keys: is not one key/,
    );
  });
});

describe("what is expected of an upstream's certificate", () => {
  const svid = named("a.example", "*.b.example");
  const peer = new PeerCertificate(new X509Certificate(svid.chainPem));
  const trusted_ca = inline(ca.bundlePem);
  const expecting = (validation: object, context: object = {}) =>
    upstream({ ...context, common_tls_context: { validation_context: { trusted_ca, ...validation } } });

  for (const [name, validation, isAccepted] of [
    ["its own hash", { verify_certificate_hash: [peer.fingerprint] }, true],
    [
      "its own hash with colons",
      { verify_certificate_hash: [peer.fingerprint.toUpperCase().match(/../g)!.join(":")] },
      true,
    ],
    ["another's hash", { verify_certificate_hash: ["00".repeat(32)] }, false],
    ["its own key", { verify_certificate_spki: [peer.spki] }, true],
    [
      "either of two",
      { verify_certificate_hash: ["00".repeat(32)], verify_certificate_spki: [peer.spki] },
      true,
    ],
    [
      "its own key, but another name",
      {
        verify_certificate_spki: [peer.spki],
        match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: "c.example" } }],
      },
      false,
    ],
    [
      "a name a wildcard covers",
      { match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: "x.b.example" } }] },
      true,
    ],
    [
      "an address",
      { match_typed_subject_alt_names: [{ san_type: "IP_ADDRESS", matcher: { exact: "10.0.0.1" } }] },
      false,
    ],
  ] as const) {
    it(`${isAccepted ? "is met" : "is not met"} by ${name}`, () => {
      assert.equal(expecting(validation).matchesSan!(peer), isAccepted);
    });
  }

  it("may be the name that is asked for, which may be the endpoint's own", () => {
    const plan = expecting({}, { sni: "a.example", auto_host_sni: true, auto_sni_san_validation: true });
    assert.deepEqual([plan.sni, plan.asksForHostname, plan.verifiesServerName], ["a.example", true, true]);
    assert.throws(
      () => upstream({ auto_sni_san_validation: true }),
      /matches names of certificates that nothing verifies/,
    );
  });
});

describe("certificates that need not verify", () => {
  const untrusted = { trust_chain_verification: "ACCEPT_UNTRUSTED" };
  const trusting = { validation_context: { trusted_ca: inline(ca.bundlePem), ...untrusted } };
  const cases: [name: string, decode: () => unknown, expected: RegExp][] = [
    [
      "of servers",
      () => upstream({ common_tls_context: trusting }),
      /accepts servers that do not verify, which is not implemented/,
    ],
    [
      "of clients that nothing could verify",
      () => downstream({ common_tls_context: { validation_context: untrusted } }),
      /trust_chain_verification: accepts certificates that nothing could verify/,
    ],
  ];
  for (const [name, decode, expected] of cases) {
    it(`${name} are refused by name`, () => {
      assert.throws(decode, expected);
    });
  }
});
