import assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "@weft/base/errors";
import { type AuthorityFlags, authorityOf } from "./authority-flags.ts";

test("one authority is made of what belongs to it, and none of nothing", async () => {
  assert.deepEqual(await authorityOf({}), {});
  assert.deepEqual((await authorityOf({ cacerts: "d" })).issuingFiles, {
    certificate: "d/ca-cert.pem",
    key: "d/ca-key.pem",
    chain: "d/cert-chain.pem",
    root: "d/root-cert.pem",
  });
  assert.deepEqual((await authorityOf({ caCert: "c", caKey: "k", rootCert: "r" })).issuingFiles, {
    certificate: "c",
    key: "k",
    chain: undefined,
    root: "r",
  });
  const stepCa = { stepCa: "https://ca", stepCaProvisioner: "mesh", stepCaKey: "k", rootCert: "r" };
  assert.deepEqual(await authorityOf(stepCa), {
    stepCa: { url: "https://ca", provisioner: "mesh", key: "k", root: "r" },
  });
});

const refused: [AuthorityFlags, RegExp][] = [
  [{ cacerts: "d", caKey: "k" }, /--cacerts and --ca-cert are two/],
  [{ cacerts: "d", rootCert: "r" }, /its own root-cert\.pem/],
  [{ caCert: "c", caKey: "k", rootCert: "r", stepCaKey: "s" }, /--ca-cert and --step-ca are two/],
  [{ caCert: "c", caKey: "k" }, /belong together/],
  [{ rootCert: "r" }, /belong together/],
  [{ caChain: "c" }, /belong together/],
  [{ stepCa: "https://ca", rootCert: "r" }, /--step-ca-provisioner.*belong together/],
  [{ stepCaProvisioner: "mesh" }, /belong together/],
];
for (const [flags, message] of refused) {
  test(`${Object.keys(flags).join(", ")} alone is refused before anything starts`, async () => {
    await assert.rejects(
      authorityOf(flags),
      (error) => error instanceof UserError && error.exitCode === 2 && message.test(error.message),
    );
  });
}
