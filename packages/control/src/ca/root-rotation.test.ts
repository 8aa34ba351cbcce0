import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { UserError } from "@weft/base/errors";
import { parseCertificates, spkiPin } from "@weft/identity/certificate";
import { createCsr } from "@weft/identity/csr";
import { parseJoinToken } from "@weft/identity/join-token";
import { generateKeyPair } from "@weft/identity/key-pair";
import { issueLeaf } from "@weft/identity/profiles";
import { parseSpiffeId, parseTrustDomain } from "@weft/identity/spiffe-id";
import { trustBundle } from "@weft/identity/trust-bundle";
import { verifyPinnedChain } from "@weft/identity/verify-pinned-chain";
import { SvidError, verifySvid } from "@weft/identity/verify-svid";
import { makeCacerts } from "@weft/testkit/cacerts";
import { FakeClock } from "@weft/testkit/fake-clock";
import { openStore } from "../store/open-store.ts";
import { openCertificateAuthority } from "./certificate-authority.ts";
import { cacertsFiles, type IssuingFiles } from "./issuing-files.ts";
import { readIssuer } from "./open-trust.ts";
import { RootRotation, type TrustHolder } from "./root-rotation.ts";

const trustDomain = parseTrustDomain("cluster.local");
const reviews = parseSpiffeId("spiffe://cluster.local/ns/default/sa/reviews");
const keys = await generateKeyPair();
const log = { info() {}, warn() {}, error() {} };

async function setUp(t: TestContext, issuingFiles?: () => IssuingFiles) {
  const directory = mkdtempSync(join(tmpdir(), "weft-rotation-"));
  const clock = new FakeClock(Date.now());
  /** Workloads that acknowledge nothing by themselves. */
  const holders: { workload: string; isConnected: boolean; bundle?: string; root?: string }[] = [];
  const open = async (files?: IssuingFiles) => {
    const store = openStore({ directory, trustDomain, clock });
    const ca = await openCertificateAuthority({ store, trustDomain, clock, log, issuingFiles: files });
    const rotation = new RootRotation({
      trust: ca.trust,
      successor: ca.successor,
      store,
      clock,
      log,
      holders: (): readonly TrustHolder[] => holders,
    });
    rotation.resume();
    return { store, ca, rotation };
  };
  let opened = await open();
  const close = () => {
    opened.rotation.close();
    opened.store.close();
  };
  t.after(() => {
    close();
    rmSync(directory, { recursive: true });
  });
  return {
    clock,
    holders,
    get ca() {
      return opened.ca;
    },
    get store() {
      return opened.store;
    },
    get rotation() {
      return opened.rotation;
    },
    get phase() {
      return opened.rotation.status()?.phase;
    },
    /** All that a killed control plane leaves is the store. */
    async restart(files = issuingFiles?.()) {
      close();
      opened = await open(files);
    },
    acknowledge(holder = 0) {
      const { version, issuingRoot } = opened.ca.trust.view;
      Object.assign(holders[holder]!, { bundle: version, root: spkiPin(issuingRoot) });
    },
    async issue() {
      const request = { csrPem: createCsr(keys, reviews), auth: { peer: reviews }, address: "10.0.0.1" };
      const answer = await opened.ca.createCertificate(request);
      assert.ok(answer.isIssued);
      return answer.chainPem.join("");
    },
  };
}

type Mesh = Awaited<ReturnType<typeof setUp>>;
const bundle = ({ ca }: Mesh) => ca.trust.view.bundle.roots.map(spkiPin);

test("each phase waits for every workload, and each workload's certificate is good in every phase", async (t) => {
  const mesh = await setUp(t);
  mesh.holders.push({ workload: "a", isConnected: true }, { workload: "b", isConnected: true });
  const [old] = bundle(mesh);
  const before = await mesh.issue();
  await mesh.rotation.begin({ isForced: false });
  const next = () => mesh.store.roots.list()[1]!;
  const isGood = async (chain: string) => verifySvid(chain, mesh.ca.trust.view.bundle, mesh.clock.now());

  assert.equal(mesh.phase, "trust");
  assert.equal(bundle(mesh).length, 2);
  assert.equal(bundle(mesh)[0], old, "the old one issues");
  await mesh.clock.advance(60_000);
  assert.equal(mesh.phase, "trust", "nobody has acknowledged");
  mesh.acknowledge(0);
  await mesh.clock.advance(60_000);
  assert.equal(mesh.phase, "trust", "one has not");
  assert.deepEqual(mesh.rotation.status()?.waiting, [
    { workload: "b", why: "it has not acknowledged the trust bundle" },
  ]);
  mesh.acknowledge(1);
  await mesh.clock.advance(500);

  assert.equal(mesh.phase, "issue");
  const [issuing] = bundle(mesh);
  assert.notEqual(issuing, old);
  const after = await mesh.issue();
  await isGood(before);
  await isGood(after);
  mesh.acknowledge(0);
  Object.assign(mesh.holders[1]!, { bundle: mesh.ca.trust.view.version });
  await mesh.clock.advance(60_000);
  assert.equal(mesh.phase, "issue");
  assert.deepEqual(mesh.rotation.status()?.waiting, [
    { workload: "b", why: "it has no certificate of the new root yet" },
  ]);
  mesh.acknowledge(1);
  await mesh.clock.advance(500);

  assert.equal(mesh.phase, "retire");
  assert.deepEqual(bundle(mesh), [issuing]);
  await isGood(after);
  await assert.rejects(isGood(before), SvidError);
  assert.equal(mesh.ca.verifyPeer(before), reviews, "who was away renews with what it has");
  mesh.holders[0]!.isConnected = false;
  mesh.acknowledge(0);
  mesh.acknowledge(1);
  await mesh.clock.advance(60_000);
  assert.equal(mesh.phase, "retire");
  mesh.holders.shift();
  await mesh.clock.advance(500);
  assert.equal(mesh.phase, "done");
  assert.equal(next().state, "issuing");
  assert.deepEqual(
    mesh.rotation.status()?.steps.map(({ phase }) => phase),
    ["prepare", "trust", "issue", "retire", "done"],
  );
  assert.deepEqual(
    mesh.store.audit.recent(20).flatMap(({ event }) => (event.startsWith("root") ? [event] : [])),
    ["root retired", "root issues", "root trusted", "root created", "root created"],
  );
});

for (const killedIn of ["prepare", "trust", "issue", "retire"] as const) {
  test(`a control plane killed in phase ${killedIn} goes on where it was, when its workloads are back`, async (t) => {
    const mesh = await setUp(t);
    mesh.holders.push({ workload: "a", isConnected: true });
    const finish = async (until: string) => {
      for (let i = 0; i < 100 && mesh.phase !== until; i++) {
        mesh.acknowledge();
        await mesh.clock.advance(500);
      }
      assert.equal(mesh.phase, until);
    };
    if (killedIn === "prepare") {
      // Killed between what is written first and what follows.
      const { change } = mesh.ca.trust;
      mesh.ca.trust.change = (one, signer) => {
        if (one.step?.phase === "trust") throw new Error("killed");
        change.call(mesh.ca.trust, one, signer);
      };
      await assert.rejects(mesh.rotation.begin({ isForced: false }), /killed/);
      assert.equal(mesh.phase, "prepare");
    } else {
      await mesh.rotation.begin({ isForced: false });
      await finish(killedIn);
    }
    const roots = mesh.store.roots.list().map(({ certificatePem }) => certificatePem);
    await mesh.restart();
    const holder = mesh.holders.pop()!;
    await mesh.clock.advance(5_000);
    assert.equal(mesh.phase, killedIn === "prepare" ? "trust" : killedIn, "nobody is back yet");
    mesh.holders.push({ ...holder, bundle: "", root: "" });
    await finish("done");
    assert.deepEqual(
      mesh.store.roots.list().map(({ certificatePem }) => certificatePem),
      roots,
      "no second root was made",
    );
    assert.equal(mesh.store.roots.list()[0]!.privateKeyPem, "", "the old key is destroyed");
    verifySvid(await mesh.issue(), mesh.ca.trust.view.bundle, mesh.clock.now());
  });
}

test("who knows only the root before recognises the control plane, by its bundle and by a join token", async (t) => {
  const mesh = await setUp(t);
  const serving = await mesh.ca.openServingCertificate();
  t.after(() => serving.close());
  const token = () => mesh.ca.createToken({ namespace: "default", serviceAccount: "reviews" }).token;
  const [oldBundle, oldToken] = [mesh.ca.trust.view.bundle, token()];
  await mesh.rotation.begin({ isForced: false });
  const changed = new Promise((resolve) => serving.onChange(resolve));
  for (let i = 0; i < 40; i++) await mesh.clock.advance(500);
  await changed;
  assert.equal(mesh.phase, "done");
  const { chainPem } = serving.current;
  const nowMs = mesh.clock.now();
  const own = "spiffe://cluster.local/ns/weft-system/sa/weft-control-plane";
  assert.equal(verifySvid(chainPem, oldBundle, nowMs), own);
  assert.equal(verifySvid(chainPem, mesh.ca.trust.view.bundle, nowMs), own);
  for (const one of [oldToken, token()]) verifyPinnedChain(chainPem, parseJoinToken(one).pin, nowMs);
});

test("forced, nothing waits, and only what the log knows is believed of the old root", async (t) => {
  const mesh = await setUp(t);
  mesh.holders.push({ workload: "a", isConnected: true });
  const stolen = readIssuer(mesh.store.roots.list()[0]!, mesh.clock.now());
  const oldBundle = mesh.ca.trust.view.bundle;
  const issued = await mesh.issue();
  const nowMs = mesh.clock.now();
  const forged = issueLeaf(stolen, {
    spiffeId: reviews,
    spki: parseCertificates(issued)[0]!.facts.spki,
    notBeforeMs: nowMs - 1_000,
    notAfterMs: nowMs + 3_600_000,
  });
  assert.equal(mesh.ca.verifyPeer(forged.pem), reviews, "while nobody knows");
  await mesh.rotation.begin({ isForced: true });
  const isForgedRefused = () =>
    assert.throws(
      () => mesh.ca.verifyPeer(forged.pem),
      (error) => error instanceof SvidError && /not issued here/.test(error.message),
    );
  assert.equal(mesh.phase, "issue");
  isForgedRefused();
  assert.equal(mesh.ca.verifyPeer(issued), reviews, "it may renew");
  await mesh.clock.advance(15_000);
  assert.equal(mesh.phase, "retire", "nobody acknowledged anything");
  assert.equal(bundle(mesh).length, 1);
  isForgedRefused();
  assert.equal(mesh.ca.verifyPeer(issued), reviews);
  await mesh.restart();
  isForgedRefused();
  const serving = await mesh.ca.openServingCertificate();
  t.after(() => serving.close());
  assert.throws(
    () => verifySvid(serving.current.chainPem, oldBundle, nowMs),
    "the old root vouches for nobody",
  );
  assert.equal(mesh.store.roots.list()[0]!.privateKeyPem, "");
});

test("a rotation under way is told, and can be forced", async (t) => {
  const mesh = await setUp(t);
  mesh.holders.push({ workload: "a", isConnected: true });
  await mesh.rotation.begin({ isForced: false });
  await assert.rejects(
    mesh.rotation.begin({ isForced: false }),
    (error) => error instanceof UserError && /under way, in phase trust/.test(error.message),
  );
  await mesh.rotation.begin({ isForced: true });
  assert.equal(mesh.phase, "issue");
  assert.equal(mesh.ca.trust.view.suspects.size, 1);
  assert.equal(mesh.ca.trust.view.wayBack.length, 0, "the old root vouches for nobody");
  assert.equal(mesh.store.roots.list().length, 2, "to the root that was made already");
});

test("a mesh with a root of its own moves to the operator's authority in phases, across restarts", async (t) => {
  const cacerts = mkdtempSync(join(tmpdir(), "weft-cacerts-"));
  t.after(() => rmSync(cacerts, { recursive: true }));
  makeCacerts(cacerts);
  const mesh = await setUp(t, () => cacertsFiles(cacerts));
  mesh.holders.push({ workload: "a", isConnected: true });
  const [old] = bundle(mesh);
  for (const phase of ["trust", "issue", "retire", "done"]) {
    await mesh.restart();
    const subject = mesh.ca.caStatus().issuerSubject;
    const isOwn = phase === "trust";
    assert.equal(mesh.phase, phase);
    assert.match(subject ?? "", isOwn ? /Weft root/ : /Example ca/);
    assert.equal(bundle(mesh).includes(old!), phase === "trust" || phase === "issue");
    verifySvid(
      await mesh.issue(),
      trustBundle(trustDomain, mesh.ca.trust.view.bundle.roots),
      mesh.clock.now(),
    );
    mesh.acknowledge();
    await mesh.clock.advance(10_500);
  }
  await assert.rejects(
    mesh.rotation.begin({ isForced: false }),
    (error) => error instanceof UserError && /is the operator's/.test(error.message),
  );
});
