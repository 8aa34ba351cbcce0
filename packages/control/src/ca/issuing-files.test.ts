import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { systemClock } from "@weft/base/clock";
import { UserError } from "@weft/base/errors";
import { createCsr } from "@weft/identity/csr";
import { generateKeyPair } from "@weft/identity/key-pair";
import { parseSpiffeId, parseTrustDomain } from "@weft/identity/spiffe-id";
import { makeCacerts } from "@weft/testkit/cacerts";
import { openStore } from "../store/open-store.ts";
import { type CertificateAuthority, openCertificateAuthority } from "./certificate-authority.ts";
import { cacertsFiles, type IssuingFiles } from "./issuing-files.ts";

const trustDomain = parseTrustDomain("cluster.local");
const reviews = parseSpiffeId("spiffe://cluster.local/ns/default/sa/reviews");
const keys = await generateKeyPair();
const log = { info() {}, warn() {}, error() {} };

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "weft-cacerts-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Opens the authority of a state directory for as long as `use` runs. */
async function withAuthority<T>(
  directory: string,
  issuingFiles: IssuingFiles | undefined,
  use: (ca: CertificateAuthority) => Promise<T> | T,
): Promise<T> {
  const store = openStore({ directory, trustDomain, clock: systemClock });
  try {
    return await use(
      await openCertificateAuthority({ store, trustDomain, clock: systemClock, log, issuingFiles }),
    );
  } finally {
    store.close();
  }
}

async function issue(ca: CertificateAuthority): Promise<readonly string[]> {
  const request = { csrPem: createCsr(keys, reviews), auth: { peer: reviews }, address: "10.0.0.1" };
  const answer = await ca.createCertificate(request);
  assert.ok(answer.isIssued);
  return answer.chainPem;
}

function isUserError(message: RegExp, hint: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof UserError, String(error));
    assert.match(error.message, message);
    assert.match(error.hint ?? "", hint);
    return true;
  };
}

test("Istio's cacerts folder issues a whole chain that openssl finds good by the root alone", async (t) => {
  const [state, cacerts] = [folder(t), folder(t)];
  makeCacerts(cacerts);
  const chain = await withAuthority(state, cacertsFiles(cacerts), issue);
  assert.equal(chain.length, 4, "leaf, issuing, the one above it, root");
  assert.equal(chain.at(-1)!.trim(), readFileSync(join(cacerts, "root-cert.pem"), "utf8").trim());
  writeFileSync(join(state, "leaf.pem"), chain[0]!);
  writeFileSync(join(state, "untrusted.pem"), chain.slice(1, -1).join(""));
  const verify = (...args: string[]) =>
    execFileSync("openssl", ["verify", "-x509_strict", "-CAfile", join(cacerts, "root-cert.pem"), ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  assert.match(verify("-untrusted", join(state, "untrusted.pem"), join(state, "leaf.pem")), /leaf\.pem: OK/);
  assert.throws(() => verify(join(state, "leaf.pem")), "the root alone is not enough");
});

test("a leaf without its chain, as Node 24's servers see it, is verified with the signers that ever issued", async (t) => {
  const [state, first, second] = [folder(t), folder(t), folder(t)];
  makeCacerts(first);
  const [leaf] = await withAuthority(state, cacertsFiles(first), issue);
  makeCacerts(second, { root: first });
  await withAuthority(state, cacertsFiles(second), async (ca) => {
    const [another] = await issue(ca);
    assert.equal(ca.verifyPeer(another!), reviews);
    assert.equal(ca.verifyPeer(leaf!), reviews, "issued by the one before");
  });
});

test("the key of the operator's authority is not copied into the state directory", async (t) => {
  const [state, cacerts] = [folder(t), folder(t)];
  makeCacerts(cacerts);
  await withAuthority(state, cacertsFiles(cacerts), issue);
  const key = readFileSync(join(cacerts, "ca-key.pem"), "utf8").split("\n")[1]!;
  assert.ok(!readFileSync(join(state, "weft.db")).includes(key));
  await assert.rejects(
    withAuthority(state, undefined, () => {}),
    isUserError(/is the operator's/, /--ca-cert/),
  );
});

test("a mesh that trusts another root is not switched over by its authority's files", async (t) => {
  const [state, first, second] = [folder(t), folder(t), folder(t)];
  makeCacerts(first);
  makeCacerts(second);
  await withAuthority(state, cacertsFiles(first), issue);
  await assert.rejects(
    withAuthority(state, cacertsFiles(second), () => {}),
    isUserError(/does not trust the root "CN\s?=\s?Example root" yet/, /beside the root in use/),
  );
  const both = join(state, "both.pem");
  const root = (path: string) => readFileSync(join(path, "root-cert.pem"), "utf8");
  writeFileSync(both, root(first) + root(second));
  const bundle = (ca: CertificateAuthority) => ca.trust.view.bundle.roots.map(({ pem }) => pem.trim());
  const trusted = await withAuthority(state, { ...cacertsFiles(first), root: both }, bundle);
  assert.deepEqual(trusted, [root(first).trim(), root(second).trim()], "the one that issues first");
  const switched = await withAuthority(state, { ...cacertsFiles(second), root: both }, bundle);
  assert.deepEqual(switched, [root(second).trim(), root(first).trim()]);
  assert.deepEqual(await withAuthority(state, cacertsFiles(second), bundle), [root(second).trim()]);
});

test("what is wrong with a file is said by its name, with what to do, and no key is repeated", async (t) => {
  const good = folder(t);
  makeCacerts(good);
  const files = cacertsFiles(good);
  const other = folder(t);
  makeCacerts(other);
  const write = (name: string, text: string) => {
    writeFileSync(join(other, name), text);
    return join(other, name);
  };
  const cases: [Partial<IssuingFiles>, RegExp, RegExp][] = [
    [{ key: join(other, "ca-key.pem") }, /ca-key\.pem: the private key is not that/, /key that the/],
    [{ key: write("no-key", "hunter2") }, /no-key: this is no private key/, /openssl pkey/],
    [{ certificate: write("no-cert", "hunter2") }, /no-cert: no PEM block/, /openssl x509/],
    [{ certificate: join(other, "absent") }, /absent: /, /--cacerts/],
    [
      { root: join(other, "root-cert.pem") },
      /cert-chain\.pem: the chain does not reach a root/,
      /up to the root/,
    ],
    [{ chain: undefined }, /ca-cert\.pem: the chain does not reach a root/, /up to the root/],
  ];
  for (const [change, message, hint] of cases) {
    const state = folder(t);
    await assert.rejects(
      withAuthority(state, { ...files, ...change }, () => {}),
      (error) => {
        assert.ok(!String(error).includes("hunter2"));
        return isUserError(message, hint)(error);
      },
    );
  }
});
