import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { UserError } from "@weft/base/errors";
import { type FakeAuthority, refusal, startFakeAuthority } from "@weft/testkit/fake-authority";
import { TestCa } from "@weft/testkit/test-ca";
import { GrpcError, grpcCode } from "@weft/xds/grpc/grpc-status";
import { chooseEnrolment } from "./choose-enrolment.ts";

const authority: FakeAuthority = await startFakeAuthority();
const folder = mkdtempSync(join(tmpdir(), "weft-account-"));
const tokenFile = join(folder, "token");
const rootFile = join(folder, "roots.pem");
after(async () => {
  await authority.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  authority.refusal = undefined;
  authority.callers.length = 0;
  writeFileSync(tokenFile, "head.first.signature\n");
  writeFileSync(rootFile, authority.ca.bundlePem);
});
const enrolment = chooseEnrolment({ serviceAccountToken: tokenFile, rootCert: rootFile });
const { target } = authority;
const elsewhere = new TestCa();

const isUserError = (message: RegExp, hint: RegExp) => (error: unknown) => {
  assert.ok(error instanceof UserError, String(error));
  assert.match(error.message, message);
  assert.match(error.hint ?? "", hint);
  assert.ok(!error.message.includes("signature"), "what the file holds is in no message");
  return true;
};

test("a pod shows its token for each certificate, as the file has it then", async () => {
  const first = await enrolment.enrol(target);
  assert.equal(first.spiffeId, target.spiffeId);
  writeFileSync(tokenFile, "head.second.signature");
  const second = await enrolment.renew(target, first);
  assert.notEqual(second.keyPem, first.keyPem);
  assert.deepEqual(authority.callers, ["Bearer head.first.signature", "Bearer head.second.signature"]);
});

test("the token is shown to nobody but the control plane of the roots", async () => {
  writeFileSync(rootFile, elsewhere.bundlePem);
  await assert.rejects(enrolment.enrol(target), GrpcError);
  assert.deepEqual(authority.callers, []);
});

test("what the control plane told counts, not an old file; past its certificate's end the file does again", async () => {
  const first = await enrolment.enrol(target);
  writeFileSync(rootFile, elsewhere.bundlePem);
  await enrolment.renew(target, first);
  const stale = { ...first, bundle: elsewhere.bundle };
  await assert.rejects(enrolment.renew(target, stale), GrpcError);
  writeFileSync(rootFile, authority.ca.bundlePem);
  await enrolment.renew(target, { ...stale, notAfterMs: Date.now() - 1 });
  assert.equal(authority.callers.length, 3);
});

test("refusals say what to do; what may pass is left for another try", async () => {
  authority.refusal = refusal("unauthenticated", "the service-account token is not good");
  await assert.rejects(enrolment.enrol(target), isUserError(/refused by the control plane/, /audience/));
  authority.refusal = refusal("permissionDenied", "the token is for api");
  await assert.rejects(
    enrolment.enrol(target),
    isUserError(/no certificate for .*\/web/, /--service-account/),
  );
  authority.refusal = refusal("unavailable", "the Kubernetes API server cannot be asked");
  await assert.rejects(enrolment.enrol(target), { name: "GrpcError", code: grpcCode.unavailable });
});

test("files that are not what they should be are named", async () => {
  writeFileSync(tokenFile, "no token with a signature");
  await assert.rejects(
    enrolment.enrol(target),
    isUserError(/token: this is no service-account token/, /projected/),
  );
  rmSync(tokenFile);
  await assert.rejects(
    enrolment.enrol(target),
    isUserError(/--service-account-token .*does not exist/, /mount/),
  );
  writeFileSync(rootFile, "no roots with a signature");
  await assert.rejects(enrolment.enrol(target), isUserError(/--root-cert /, /weft ca status -o pem/));
});

for (const [flags, message] of [
  [{ serviceAccountToken: "a", rootCert: "b", token: "c" }, /--token and --service-account-token/],
  [{ serviceAccountToken: "a", rootCert: "b", tokenFile: "c" }, /--token-file and --service-account-token/],
  [{ serviceAccountToken: "a" }, /needs --root-cert/],
  [{ rootCert: "a", token: "c" }, /--root-cert is for --service-account-token/],
] as const) {
  test(`${Object.keys(flags).join(" with ")} is refused`, () => {
    assert.throws(() => chooseEnrolment(flags), isUserError(message, /./));
  });
}
