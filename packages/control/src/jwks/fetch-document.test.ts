import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { TestCa } from "@weft/testkit/test-ca";
import { AddressGuard } from "../egress/address-guard.ts";
import { fetchDocument } from "./fetch-document.ts";

const authority = new TestCa();
const leaf = authority.leaf("issuer", "keys", { dnsNames: ["localhost"] });
const isLoopback = new AddressGuard(["127.0.0.0/8", "::1"]);
let asked: string[] = [];
let ports: { plain: number; secure: number };

const answer: RequestListener = (request, response) => {
  asked.push(request.url!);
  const [, verb, target] = /^\/([a-z]+)\/?(.*)$/.exec(request.url!)!;
  const to = decodeURIComponent(target!);
  if (verb === "keys") response.end("{}");
  else if (verb === "to") response.writeHead(302, { location: to }).end();
  else if (verb === "loop") response.writeHead(302, { location: "/loop" }).end();
  else if (verb === "nowhere") response.writeHead(302).end();
  else if (verb === "large") response.end(Buffer.alloc((1 << 20) + 1));
  else if (verb === "slow") response.write("{");
  else response.writeHead(404).end();
};

describe("a document of an issuer", () => {
  const plain = createServer(answer);
  const secure = createSecureServer({ key: leaf.keyPem, cert: leaf.chainPem }, answer);
  before(async () => {
    for (const server of [plain, secure]) await once(server.listen(0, "127.0.0.1"), "listening");
    ports = {
      plain: (plain.address() as AddressInfo).port,
      secure: (secure.address() as AddressInfo).port,
    };
  });
  after(() => {
    for (const server of [plain, secure]) {
      server.close();
      server.closeAllConnections();
    }
  });

  const at = (path: string) => `https://localhost:${ports.secure}${path}`;
  const inPlain = (path: string, host = "127.0.0.1") => `http://${host}:${ports.plain}${path}`;
  const get = (url: string, guard = isLoopback, timeoutMs = 20_000) => {
    asked = [];
    return fetchDocument(url, { guard, timeoutMs, ca: [authority.bundlePem] });
  };

  it("is fetched over TLS, redirects followed", async () => {
    assert.equal(await get(at("/keys")), "{}");
    assert.equal(await get(at(`/to/${encodeURIComponent("/keys")}`)), "{}");
    assert.deepEqual(asked, [`/to/${encodeURIComponent("/keys")}`, "/keys"]);
  });

  it("is fetched without TLS only from an address that was named", async () => {
    assert.equal(await get(inPlain("/keys")), "{}");
    assert.equal(await get(inPlain("/keys", "localhost"), isLoopback), "{}");
    const everywhere = { isAllowed: () => true, isNamed: () => false } as unknown as AddressGuard;
    await assert.rejects(get(inPlain("/keys"), everywhere), /plain HTTP to 127\.0\.0\.1/);
  });

  const disguises = [
    "http://127.0.0.1",
    "http://localhost",
    "http://2130706433",
    "http://0x7f.1",
    "http://0177.0.0.1",
    "http://127.1",
    "http://[::ffff:127.0.0.1]",
    "http://0",
  ];
  for (const host of disguises) {
    it(`is not asked for at ${host}, which is this machine`, async () => {
      await assert.rejects(get(`${host}:${ports.plain}/keys`, new AddressGuard()), /not a public address/);
      assert.deepEqual(asked, []);
    });
  }

  it("is not followed to an address that is not allowed", async () => {
    const onlyOne = new AddressGuard(["127.0.0.1"]);
    const refused = ["https://127.0.0.2/keys", "https://169.254.169.254/", "https://[::1]/keys"];
    for (const target of refused) {
      const url = inPlain(`/to/${encodeURIComponent(target)}`);
      await assert.rejects(get(url, onlyOne), /is not a public address/);
    }
    await assert.rejects(
      get(inPlain(`/to/${encodeURIComponent("file:///etc/passwd")}`)),
      /file: is not fetched/,
    );
  });

  it("is not followed from TLS to none, nor for ever, nor nowhere", async () => {
    await assert.rejects(get(at(`/to/${encodeURIComponent(inPlain("/keys"))}`)), /from https to http/);
    await assert.rejects(get(at("/loop")), /more than 3 redirects/);
    assert.equal(asked.length, 4);
    await assert.rejects(get(at("/nowhere")), /redirected nowhere/);
  });

  it("is refused without a verified certificate for the name", async () => {
    asked = [];
    const untrusted = { guard: isLoopback, timeoutMs: 20_000 };
    await assert.rejects(fetchDocument(at("/keys"), untrusted), /certificate/);
    const otherName = at("/keys").replace("localhost", "127.0.0.1");
    await assert.rejects(get(otherName), /altnames|does not match/);
    assert.deepEqual(asked, []);
  });

  it("is bounded in size and time, and is an answer of 200", async () => {
    await assert.rejects(get(at("/large")), /more than 1048576 bytes/);
    await assert.rejects(get(at("/slow"), isLoopback, 200), /no answer within 200 ms/);
    await assert.rejects(get(at("/none")), /answered 404/);
    await assert.rejects(get(at("/keys").replace("//", "//user:secret@")), /holds a password/);
  });
});
