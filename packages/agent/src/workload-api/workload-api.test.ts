import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  create,
  type DescMessage,
  type DescMethodServerStreaming,
  fromBinary,
  toBinary,
} from "@bufbuild/protobuf";
import { systemClock } from "@weft/base/clock";
import { parseCertificate } from "@weft/identity/certificate";
import { jwtKeyId, publicJwk, signJwtSvid } from "@weft/identity/jwt-svid";
import { generateKeyPair } from "@weft/identity/key-pair";
import { parseSpiffeId, type SpiffeId } from "@weft/identity/spiffe-id";
import { startFakeAuthority } from "@weft/testkit/fake-authority";
import { TestCa } from "@weft/testkit/test-ca";
import {
  SpiffeWorkloadAPI,
  type X509SVIDResponse,
  X509SVIDResponseSchema,
} from "@weft/xds/gen/spiffe/workload/workload_pb";
import { JwtSvidService } from "@weft/xds/gen/weft/ca/v1/jwt_svid_pb";
import { GrpcChannel } from "@weft/xds/grpc/grpc-channel";
import { methodPath, unaryRoute } from "@weft/xds/grpc/grpc-route";
import { GrpcError, grpcCode } from "@weft/xds/grpc/grpc-status";
import { controlPlaneTarget } from "../enrolment/certificate-authority.ts";
import { assembleSvid, type Svid, withBundle } from "../enrolment/svid.ts";
import { startWorkloadApi } from "./workload-api.ts";
import { WorkloadState } from "./workload-state.ts";

const { fetchX509SVID, fetchX509Bundles, fetchJWTSVID, fetchJWTBundles, validateJWTSVID } =
  SpiffeWorkloadAPI.method;
const web = parseSpiffeId("spiffe://cluster.local/ns/default/sa/web");
const { privateKey } = await generateKeyPair();
const signingKey = { id: jwtKeyId(privateKey), privateKey };
const keySet = JSON.stringify({ keys: [publicJwk(signingKey)] });
const header: readonly [string, string][] = [["workload.spiffe.io", "true"]];

function issueFrom(ca: TestCa): Svid {
  const { chainPem, keys } = ca.leaf("default", "web");
  return assembleSvid(chainPem, keys, { spiffeId: web, trustDomain: ca.trustDomain }, Date.now());
}

function tokenFor(audience: readonly string[], changes: { sub?: string; ttlMs?: number } = {}): string {
  const nowMs = Date.now();
  const spiffeId = (changes.sub ?? web) as SpiffeId;
  return signJwtSvid(signingKey, {
    spiffeId,
    audience,
    nowMs,
    expiresAtMs: nowMs + (changes.ttlMs ?? 60_000),
  }).token;
}

async function setUp(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "weft-wl-"));
  const asked: (readonly string[])[] = [];
  const authority = await startFakeAuthority({
    routes: [
      unaryRoute(JwtSvidService.method.issueJwtSvid, async ({ audience }) => {
        asked.push(audience);
        return { token: tokenFor(audience) };
      }),
    ],
  });
  const svid = issueFrom(authority.ca);
  const state = new WorkloadState(svid);
  const path = join(folder, "spiffe", "api.sock");
  const target = controlPlaneTarget(authority.target, () => ({ bundle: svid.bundle, svid }));
  const api = await startWorkloadApi({
    path,
    state,
    target,
    owner: undefined,
    clock: systemClock,
    talk: (line) => assert.fail(line),
  });
  const channel = new GrpcChannel({ clock: systemClock, target: { address: { path } } });
  t.after(async () => {
    channel.close();
    await api.close();
    await authority.close();
    rmSync(folder, { recursive: true });
  });
  return { state, channel, path, asked, authority, svid };
}

/** What a stream says, one message at a time. */
async function open<M extends DescMethodServerStreaming>(
  channel: GrpcChannel,
  method: M,
  metadata: readonly [string, string][] = [...header],
) {
  const messages: Uint8Array[] = [];
  let wake = () => {};
  let failure: GrpcError | undefined;
  const call = await channel.open(methodPath(method), metadata, {
    onMessage: (message) => {
      messages.push(Uint8Array.from(message));
      wake();
    },
    onEnd: (error) => {
      failure = error;
      wake();
    },
  });
  call.send(toBinary(method.input, create(method.input)));
  call.halfClose();
  return async (): Promise<Uint8Array> => {
    for (;;) {
      const message = messages.shift();
      if (message) return message;
      if (failure) throw failure;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
}

test("certificate, key and bundle are there at once, and each rotation follows on the same stream", async (t) => {
  const { state, channel, svid, path } = await setUp(t);
  const next = await open(channel, fetchX509SVID);
  const read = async (): Promise<X509SVIDResponse> => fromBinary(X509SVIDResponseSchema, await next());
  const first = (await read()).svids[0]!;
  assert.equal(first.spiffeId, web);
  assert.equal(parseCertificate(Buffer.from(first.x509Svid)).facts.serial, svid.serial);
  assert.equal(parseCertificate(Buffer.from(first.bundle)).pem, svid.bundlePem);
  assert.deepEqual(
    Buffer.from(first.x509SvidKey),
    svid.keys.privateKey.export({ type: "pkcs8", format: "der" }),
  );

  const other = new TestCa();
  const both = { ...svid.bundle, roots: [...svid.bundle.roots, other.root] };
  state.setSvid(svid);
  state.setSvid(withBundle(svid, both));
  const second = (await read()).svids[0]!;
  assert.equal(
    second.bundle.length,
    first.bundle.length + other.root.x509.raw.length,
    "nothing is said twice",
  );
  assert.deepEqual(second.x509Svid, first.x509Svid);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test("no method answers without the security header", async (t) => {
  const { state, channel } = await setUp(t);
  state.setKeySet(keySet);
  const refused = (error: unknown) =>
    error instanceof GrpcError &&
    error.code === grpcCode.invalidArgument &&
    /security header/.test(error.message);
  for (const metadata of [[], [["workload.spiffe.io", "yes"]]] as [string, string][][]) {
    for (const method of [fetchX509SVID, fetchX509Bundles, fetchJWTBundles]) {
      const next = await open(channel, method, metadata).catch(
        (error: unknown) => () => Promise.reject(error),
      );
      await assert.rejects(next(), refused, method.name);
    }
    await assert.rejects(channel.unary(fetchJWTSVID, { audience: ["a"] }, { metadata }), refused);
    await assert.rejects(channel.unary(validateJWTSVID, { audience: "a", svid: "x" }, { metadata }), refused);
  }
});

test("a token is fetched once for an audience, and for no other identity", async (t) => {
  const { channel, asked, authority } = await setUp(t);
  const fetch = (audience: string[], spiffeId = "") =>
    channel.unary(fetchJWTSVID, { audience, spiffeId }, { metadata: header });
  const first = await fetch(["ledger"]);
  assert.deepEqual((await fetch(["ledger"], web)).svids, first.svids);
  await fetch(["ledger", "bank"]);
  assert.deepEqual(asked, [["ledger"], ["ledger", "bank"]]);
  const isCode = (code: number) => (error: unknown) => error instanceof GrpcError && error.code === code;
  await assert.rejects(fetch([]), isCode(grpcCode.invalidArgument));
  await assert.rejects(fetch([""]), isCode(grpcCode.invalidArgument));
  await assert.rejects(fetch(["a"], `${web}2`), isCode(grpcCode.permissionDenied));
  await authority.close();
  assert.deepEqual((await fetch(["ledger"])).svids, first.svids, "kept while the control plane is away");
});

test("a token of another key, audience, domain or time proves nothing", async (t) => {
  const { state, channel } = await setUp(t);
  const validate = (svid: string, audience = "ledger") =>
    channel.unary(validateJWTSVID, { audience, svid }, { metadata: header });
  await assert.rejects(validate(tokenFor(["ledger"])), /not known yet/);
  state.setKeySet(keySet);
  const good = tokenFor(["bank", "ledger"]);
  const { spiffeId, claims } = await validate(good);
  assert.equal(spiffeId, web);
  assert.deepEqual(claims?.aud, ["bank", "ledger"]);
  const [head, body, signature] = good.split(".") as [string, string, string];
  const none = Buffer.from('{"alg":"none"}').toString("base64url");
  const unsigned = Buffer.from(JSON.stringify({ alg: "ES256", kid: "other" })).toString("base64url");
  const cases: [string, RegExp][] = [
    [tokenFor(["bank"]), /not for the audience "ledger"/],
    [tokenFor(["ledger"], { sub: "spiffe://evil.example/ns/default/sa/web" }), /of evil\.example/],
    [tokenFor(["ledger"], { sub: "web" }), /no SPIFFE ID/],
    [tokenFor(["ledger"], { ttlMs: -60_000 }), /has expired/],
    [`${none}.${body}.${signature}`, /cannot be read/],
    [`${unsigned}.${body}.${signature}`, /not believed/],
    [`${head}.${body}.${signature.slice(0, -4)}AAAA`, /not believed/],
    [`${head}.${body}`, /cannot be read/],
    ["x".repeat(20_000), /longer than/],
  ];
  for (const [token, message] of cases) {
    await assert.rejects(
      validate(token),
      (error) =>
        error instanceof GrpcError && error.code === grpcCode.invalidArgument && message.test(error.message),
      `${message}`,
    );
  }
  await assert.rejects(validate(good, ""), /audience must be/);
});

test("other trust domains are told beside the own one, and their tokens verified by keys of their own", async (t) => {
  const { state, channel } = await setUp(t);
  const west = new TestCa({ trustDomain: "west.example" });
  const foreign = await generateKeyPair();
  const key = { id: jwtKeyId(foreign.privateKey), privateKey: foreign.privateKey };
  state.setKeySet(keySet);
  const bundle = {
    trustDomain: west.trustDomain,
    roots: [west.root],
    jwtKeys: [publicJwk(key)],
    sequence: 1n,
    refreshHintS: 60,
  };
  state.setForeign({ bundles: [bundle], aliases: [] });
  const said = async <O extends DescMessage>(method: DescMethodServerStreaming<DescMessage, O>) =>
    fromBinary(method.output, await (await open(channel, method, header))());
  const first = await said(fetchX509SVID);
  assert.deepEqual(Buffer.from(first.federatedBundles["spiffe://west.example"]!), west.root.x509.raw);
  const { bundles } = await said(fetchX509Bundles);
  assert.deepEqual(Object.keys(bundles).sort(), ["spiffe://cluster.local", "spiffe://west.example"]);
  const jwt = await said(fetchJWTBundles);
  assert.deepEqual(Object.keys(jwt.bundles).sort(), ["spiffe://cluster.local", "spiffe://west.example"]);

  const sign = (by: typeof key, sub: string) => {
    const nowMs = Date.now();
    return signJwtSvid(by, {
      spiffeId: parseSpiffeId(sub),
      audience: ["a"],
      nowMs,
      expiresAtMs: nowMs + 60_000,
    }).token;
  };
  const validate = (svid: string) =>
    channel.unary(validateJWTSVID, { audience: "a", svid }, { metadata: header });
  const caller = "spiffe://west.example/ns/default/sa/web";
  assert.equal((await validate(sign(key, caller))).spiffeId, caller);
  await assert.rejects(validate(sign(key, web)), /not believed/, "their key is not for our identities");
  await assert.rejects(validate(sign(signingKey, caller)), /not believed/, "nor ours for theirs");
  state.setForeign({ bundles: [], aliases: [] });
  await assert.rejects(validate(sign(key, caller)), /whose keys are not known here/);
});
