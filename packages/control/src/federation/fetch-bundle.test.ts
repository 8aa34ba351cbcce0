import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createPlainServer, type RequestListener } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { systemClock } from "@weft/base/clock";
import { formatSpiffeBundle } from "@weft/identity/spiffe-bundle";
import { parseSpiffeId } from "@weft/identity/spiffe-id";
import { TestCa, type TestSvid } from "@weft/testkit/test-ca";
import { AddressGuard } from "../egress/address-guard.ts";
import { type BundleEndpoint, startBundleEndpoint } from "./bundle-endpoint.ts";
import { fetchBundle } from "./fetch-bundle.ts";

const west = new TestCa({ trustDomain: "west.example" });
const hub = new TestCa({ trustDomain: "hub.example" });
const impostor = new TestCa({ trustDomain: "west.example" });
const webCa = new TestCa();
const { trustDomain } = west;
const endpointId = parseSpiffeId("spiffe://west.example/ns/weft-system/sa/weft-control-plane");
const document = formatSpiffeBundle({
  trustDomain,
  roots: [west.root],
  jwtKeys: [],
  sequence: 1n,
  refreshHintS: 60,
});
const known = new Map([west, hub].map((ca) => [ca.trustDomain as string, ca.bundle]));

describe("a bundle endpoint", () => {
  let asked = 0;
  let target = "";
  const answer: RequestListener = (request, response) => {
    asked += 1;
    if (request.url === "/moved") response.writeHead(302, { location: target }).end();
    else response.end(document);
  };
  const plain = createPlainServer(answer);
  const servers: ReturnType<typeof createServer>[] = [];
  before(() => once(plain.listen(0, "127.0.0.1"), "listening"));
  after(() => {
    plain.close();
    for (const server of servers) server.close();
  });

  /** An endpoint with this certificate; resolves to its URL. */
  async function serve({ keyPem, chainPem }: TestSvid, address = "127.0.0.1"): Promise<string> {
    const server = createServer({ key: keyPem, cert: chainPem }, answer).listen(0, address);
    servers.push(server);
    await once(server, "listening");
    return `https://${address}:${(server.address() as AddressInfo).port}`;
  }

  const get = (url: string, spiffeId: typeof endpointId | undefined, allowed = ["127.0.0.1"]) => {
    asked = 0;
    return fetchBundle(
      { trustDomain, endpoint: { url, spiffeId }, name: "test" },
      {
        guard: new AddressGuard(allowed),
        caPem: webCa.bundlePem,
        timeoutMs: 20_000,
        nowMs: Date.now(),
        signal: new AbortController().signal,
        bundleOf: (domain) => known.get(domain),
      },
    );
  };
  const itself = west.leaf("weft-system", "weft-control-plane");

  it("is recognised by its SPIFFE ID, in its own trust domain or another one", async () => {
    assert.equal((await get(await serve(itself), endpointId)).sequence, 1n);
    const inHub = parseSpiffeId("spiffe://hub.example/ns/a/sa/bundles");
    assert.equal((await get(await serve(hub.leaf("a", "bundles")), inHub)).sequence, 1n);
  });

  const refused: readonly [what: string, svid: TestSvid, why: RegExp][] = [
    ["another identity of the domain", west.leaf("default", "web"), /sa\/web answered where/],
    [
      "its name by another root",
      impostor.leaf("weft-system", "weft-control-plane"),
      /certificate|unable|self-signed/i,
    ],
    [
      "a certificate for the host name",
      webCa.leaf("a", "b", { uris: [], dnsNames: ["localhost"] }),
      /certificate|self-signed/i,
    ],
    [
      "its name in an expired certificate",
      west.leaf("weft-system", "weft-control-plane", { notAfterMs: Date.now() - 1000 }),
      /expired/,
    ],
  ];
  for (const [what, svid, why] of refused) {
    it(`that shows ${what} is asked for nothing`, async () => {
      await assert.rejects(get(await serve(svid), endpointId), why);
      assert.equal(asked, 0);
    });
  }

  it("is not contacted where nothing is known to recognise it by", async () => {
    await assert.rejects(
      get("https://127.0.0.1:1/", parseSpiffeId("spiffe://far.example/a")),
      /no root of far\.example/,
    );
  });

  it("may redirect to itself elsewhere, and to nobody else, nowhere else, and not without TLS", async () => {
    const from = await serve(itself);
    target = `${await serve(itself)}/`;
    assert.equal((await get(`${from}/moved`, endpointId)).sequence, 1n);
    target = `${await serve(west.leaf("default", "web"))}/`;
    await assert.rejects(get(`${from}/moved`, endpointId), /answered where/);
    for (const host of ["127.0.0.2", "169.254.169.254", "[::1]"]) {
      target = `https://${host}/`;
      await assert.rejects(
        get(`${from}/moved`, endpointId),
        /not a public address; allow it with --federation-allow/,
      );
    }
    target = `http://127.0.0.1:${(plain.address() as AddressInfo).port}/`;
    await assert.rejects(get(`${from}/moved`, endpointId), /from https to http/);
    await assert.rejects(get(target, undefined), /http: is not fetched/);
  });

  it("of https_web is recognised by a certificate for its name, and an SVID is none", async () => {
    const url = (await serve(webCa.leaf("a", "b", { uris: [], dnsNames: ["localhost"] }))).replace(
      "127.0.0.1",
      "localhost",
    );
    const both = ["127.0.0.1", "::1"];
    assert.equal((await get(url, undefined, both)).sequence, 1n);
    await assert.rejects(get(url.replace("localhost", "127.0.0.1"), undefined), /altnames|does not match/);
    await assert.rejects(get(await serve(itself), undefined), /certificate|self-signed/i);
  });

  it("of ours serves the bundle of now at / to everybody, with the certificate of now", async () => {
    let current = itself;
    let renew = () => {};
    let endpoint: BundleEndpoint | undefined;
    try {
      endpoint = await startBundleEndpoint({
        address: "127.0.0.1",
        port: 0,
        web: undefined,
        serving: {
          get current() {
            return { ...current, notBeforeMs: 0, notAfterMs: 0 };
          },
          onChange: (listener) => {
            renew = () => listener({ ...current, notBeforeMs: 0, notAfterMs: 0 });
            return () => {};
          },
        },
        document: () => document,
        clock: systemClock,
        onError: (error) => assert.fail(String(error)),
      });
      const url = `https://127.0.0.1:${endpoint.port}`;
      assert.equal((await get(`${url}/`, endpointId)).roots[0]!.pem, west.root.pem);
      await assert.rejects(get(`${url}/secrets`, endpointId), /answered 404/);
      current = impostor.leaf("weft-system", "weft-control-plane");
      renew();
      await assert.rejects(get(`${url}/`, endpointId));
    } finally {
      await endpoint?.close();
    }
  });
});
