import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { HttpConnectionPlan } from "../listener/listener-plan.ts";
import { httpPlan } from "../listener/test-proxy.ts";
import type { PeerIdentity } from "../net/tls-plan.ts";
import type { DownstreamConnection } from "./downstream-connection.ts";
import { HeaderList } from "./header-list.ts";
import type { RequestHead } from "./message.ts";
import { prepareRequest } from "./request-preparation.ts";

const peer: PeerIdentity = {
  uris: ["spiffe://cluster.local/ns/default/sa/productpage"],
  dnsNames: ["productpage"],
  subject: 'CN=a"b',
  fingerprint: "ab12",
};

function connection(overrides: Partial<DownstreamConnection> = {}): DownstreamConnection {
  return {
    id: 1,
    remote: { kind: "ip", host: "10.1.1.1", port: 4000 },
    local: { kind: "ip", host: "10.2.2.2", port: 9080 },
    remoteText: "10.1.1.1:4000",
    localText: "10.2.2.2:9080",
    requestedServerName: "",
    alpn: "",
    isTls: false,
    peer: undefined,
    ownUris: ["spiffe://cluster.local/ns/default/sa/reviews"],
    tlsVersion: "",
    tlsCipher: "",
    startMs: 0,
    peerMetadata: undefined,
    terminationDetails: "",
    ...overrides,
  };
}

function prepare(
  fields: string[],
  plan: Partial<HttpConnectionPlan> = {},
  downstream: Partial<DownstreamConnection> = {},
  head: Partial<RequestHead> = {},
) {
  const request: RequestHead = {
    method: "GET",
    path: "/",
    authority: "reviews:9080",
    scheme: "http",
    headers: new HeaderList(fields),
    upgrade: "",
    ...head,
  };
  const prepared = prepareRequest(request, connection(downstream), httpPlan(plan));
  return { request, prepared, get: (name: string) => request.headers.getAll(name) };
}

describe("preparing a request", () => {
  it("gives it an id, and keeps one that came from inside", () => {
    assert.match(prepare([]).get("x-request-id")!, /^[0-9a-f-]{36}$/);
    assert.equal(prepare(["x-request-id", "abc"]).get("x-request-id"), "abc");
    assert.notEqual(prepare(["x-request-id", "abc"], { useRemoteAddress: true }).get("x-request-id"), "abc");
    const kept = { useRemoteAddress: true, preserveExternalRequestId: true };
    assert.equal(prepare(["x-request-id", "abc"], kept).get("x-request-id"), "abc");
  });

  it("records the client at the edge and trusts nobody's word for the scheme", () => {
    const { get } = prepare(["x-forwarded-for", "1.2.3.4", "x-forwarded-proto", "https"], {
      useRemoteAddress: true,
    });
    assert.equal(get("x-forwarded-for"), "1.2.3.4,10.1.1.1");
    assert.equal(get("x-forwarded-proto"), "http");
  });

  it("leaves both alone inside the mesh, and takes the client from them", () => {
    const { get, prepared } = prepare(["x-forwarded-for", "1.2.3.4, 5.6.7.8", "x-forwarded-proto", "https"]);
    assert.equal(get("x-forwarded-for"), "1.2.3.4, 5.6.7.8");
    assert.equal(get("x-forwarded-proto"), "https");
    assert.deepEqual(prepared.clientAddress, { kind: "ip", host: "5.6.7.8", port: 0 });
  });

  it("obeys no instruction to the proxy from outside", () => {
    const { get } = prepare([
      "x-envoy-retry-on",
      "5xx",
      "x-envoy-internal",
      "true",
      "x-envoy-max-retries",
      "9",
      "a",
      "b",
    ]);
    assert.deepEqual(
      [get("x-envoy-retry-on"), get("x-envoy-internal"), get("x-envoy-max-retries"), get("a")],
      [undefined, undefined, undefined, "b"],
    );
  });

  const own = `By=spiffe://cluster.local/ns/default/sa/reviews;Hash=ab12;Subject="CN=a\\"b";URI=${peer.uris[0]};DNS=productpage`;
  const details = { subject: true, cert: false, chain: false, dns: true, uri: true };
  for (const [mode, isVerified, expected] of [
    ["sanitize", true, undefined],
    ["forward-only", true, "forged"],
    ["forward-only", false, undefined],
    ["append-forward", true, `forged,${own}`],
    ["append-forward", false, undefined],
    ["sanitize-set", true, own],
    ["sanitize-set", false, undefined],
    ["always-forward-only", false, "forged"],
  ] as const) {
    it(`treats a client certificate header by ${mode} ${isVerified ? "with" : "without"} a verified peer`, () => {
      const plan = { forwardClientCert: mode, setClientCertDetails: details };
      const { get } = prepare(
        ["x-forwarded-client-cert", "forged"],
        plan,
        isVerified ? { isTls: true, peer } : {},
      );
      assert.equal(get("x-forwarded-client-cert"), expected);
    });
  }

  it("strips the port as configured", () => {
    assert.equal(prepare([], { stripPort: "none" }).request.authority, "reviews:9080");
    assert.equal(prepare([], { stripPort: "matching" }).request.authority, "reviews");
    assert.equal(
      prepare([], { stripPort: "matching" }, {}, { authority: "reviews:1" }).request.authority,
      "reviews:1",
    );
    assert.equal(prepare([], { stripPort: "any" }, {}, { authority: "[::1]:1" }).request.authority, "[::1]");
    assert.equal(prepare([], { stripPort: "any" }, {}, { authority: "[::1]" }).request.authority, "[::1]");
  });

  it("refuses a path with a fragment", () => {
    assert.equal(prepare([], {}, {}, { path: "/a#b" }).prepared.refusal?.status, 400);
  });
});
