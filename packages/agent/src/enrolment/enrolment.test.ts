import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import { UserError } from "@weft/base/errors";
import { spkiPin } from "@weft/identity/certificate";
import { formatJoinToken, newJoinToken } from "@weft/identity/join-token";
import { parseTrustDomain } from "@weft/identity/spiffe-id";
import { type FakeAuthority, refusal, startFakeAuthority } from "@weft/testkit/fake-authority";
import { TestCa } from "@weft/testkit/test-ca";
import { grpcCode } from "@weft/xds/grpc/grpc-status";
import { enrolByToken, renewBySvid } from "./certificate-authority.ts";
import { formatSvid, parseSvid } from "./svid.ts";

const authority: FakeAuthority = await startFakeAuthority();
after(() => authority.close());
beforeEach(() => {
  authority.refusal = undefined;
  authority.issueTo = undefined;
  authority.callers.length = 0;
});

const isUserError = (message: RegExp, hint: RegExp) => (error: unknown) => {
  assert.ok(error instanceof UserError, String(error));
  assert.match(error.message, message);
  assert.match(error.hint ?? "", hint);
  return true;
};

test("a token becomes an identity, and the identity its own successor", async () => {
  const first = await enrolByToken(authority.target, authority.token);
  assert.equal(first.spiffeId, "spiffe://cluster.local/ns/default/sa/web");
  assert.equal(first.bundlePem, authority.ca.bundlePem);
  const second = await renewBySvid(authority.target, first);
  assert.notEqual(second.serial, first.serial);
  assert.notEqual(second.keyPem, first.keyPem, "each certificate has a key of its own");
  assert.deepEqual(authority.callers, [`Bearer ${authority.token}`, first.spiffeId]);
});

test("a token file's final newline is no part of the token", async () => {
  await enrolByToken(authority.target, `${authority.token}\n`);
  assert.deepEqual(authority.callers, [`Bearer ${authority.token}`]);
});

test("a kept identity is read back, but not for another identity, nor when expired or damaged", async () => {
  const svid = await enrolByToken(authority.target, authority.token);
  const text = formatSvid(svid);
  const nowMs = Date.now();
  assert.deepEqual(formatSvid(parseSvid(text, authority.target, nowMs)), text);
  const other = { ...authority.target, spiffeId: `${svid.spiffeId}2` as typeof svid.spiffeId };
  assert.throws(() => parseSvid(text, other, nowMs), /is for .*\/web, and .*\/web2 was asked for/);
  assert.throws(() => parseSvid(text, authority.target, svid.notAfterMs + 1), /expired/);
  assert.throws(() => parseSvid(text.slice(0, 40), authority.target, nowMs));
});

const elsewhere = new TestCa();
const attempts: readonly [
  why: string,
  change: () => { token?: string; trustDomain?: string },
  message: RegExp,
  hint: RegExp,
][] = [
  [
    "text that is no token",
    () => ({ token: "hunter2" }),
    /--token: this is not a join token/,
    /weft token create/,
  ],
  [
    "a token of another mesh",
    () => ({ token: formatJoinToken(newJoinToken(spkiPin(elsewhere.root))) }),
    /127\.0\.0\.1:\d+: .*token is of another mesh/,
    /create a token at this control plane/,
  ],
  [
    "another trust domain",
    () => ({ trustDomain: "other.example" }),
    /--trust-domain other\.example: the control plane at 127\.0\.0\.1:\d+ is of another/,
    /started with/,
  ],
  [
    "a token that was used already",
    () => {
      authority.refusal = refusal("unauthenticated", "the join token is not known");
      return {};
    },
    /--token: refused by the control plane: the join token is not known/,
    /weft token create/,
  ],
  [
    "a token of another identity",
    () => {
      authority.refusal = refusal("permissionDenied", "the token is for api");
      return {};
    },
    /no certificate for spiffe:\/\/cluster\.local\/ns\/default\/sa\/web: the token is for api/,
    /--namespace and --service-account/,
  ],
  [
    "an answer for another identity",
    () => {
      authority.issueTo = "spiffe://cluster.local/ns/default/sa/admin";
      return {};
    },
    /not accepted: the certificate is for .*admin/,
    /log/,
  ],
];
for (const [why, change, message, hint] of attempts) {
  test(`${why} is refused with the next step`, async () => {
    const { token = authority.token, trustDomain = "cluster.local" } = change();
    const target = { ...authority.target, trustDomain: parseTrustDomain(trustDomain) };
    await assert.rejects(enrolByToken(target, token), isUserError(message, hint));
  });
}

test("no token is sent to a server that is not the control plane", async () => {
  await assert.rejects(
    enrolByToken(authority.target, formatJoinToken(newJoinToken(spkiPin(elsewhere.root)))),
  );
  assert.deepEqual(authority.callers, []);
});

test("a workload of the same mesh can't pose as the control plane", async () => {
  const impostor = await startFakeAuthority({ servedAs: "reviews" });
  try {
    await assert.rejects(
      enrolByToken(impostor.target, impostor.token),
      isUserError(/\/sa\/reviews answered where the control plane/, /./),
    );
    const { ca, target } = impostor;
    const leaf = ca.leaf("default", "web");
    const svid = parseSvid(JSON.stringify({ key: leaf.keyPem, chain: leaf.chainPem }), target, Date.now());
    await assert.rejects(
      renewBySvid(target, svid),
      /\/sa\/reviews answered where .*weft-control-plane was expected/,
    );
    assert.deepEqual(impostor.callers, []);
  } finally {
    await impostor.close();
  }
});

test("an unreachable control plane can be tried again", async () => {
  const gone = await startFakeAuthority();
  await gone.close();
  await assert.rejects(enrolByToken(gone.target, gone.token), {
    name: "GrpcError",
    code: grpcCode.unavailable,
  });
});
