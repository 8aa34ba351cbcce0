import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { createCsr } from "@weft/identity/csr";
import { generateKeyPair } from "@weft/identity/key-pair";
import { parseSpiffeId, parseTrustDomain } from "@weft/identity/spiffe-id";
import { FakeClock } from "@weft/testkit/fake-clock";
import { noKubernetes, TestKubernetes } from "@weft/testkit/kubernetes";
import { openStore } from "../../store/open-store.ts";
import { openCertificateAuthority } from "../certificate-authority.ts";
import type { Caller, CertificateAnswer, RefusalCode } from "../certificate-request.ts";
import { tokenReviewer } from "./token-reviewer.ts";

const options = { skip: noKubernetes ?? false };
const trustDomain = parseTrustDomain("cluster.local");
const reviews = parseSpiffeId("spiffe://cluster.local/ns/shop/sa/reviews");
const csrPem = createCsr(await generateKeyPair(), reviews);
const folder = mkdtempSync(join(tmpdir(), "weft-accounts-"));
const kubeconfig = join(folder, "kubeconfig");
let cluster: TestKubernetes;

before(async () => {
  if (noKubernetes !== undefined) return;
  cluster = await TestKubernetes.start();
  for (const namespace of ["shop", "weft-system"]) await cluster.createNamespace(namespace);
  await cluster.writeReviewerConfig("weft-system", "weft", kubeconfig);
  for (const name of ["reviews", "ratings"]) await cluster.createServiceAccount("shop", name);
  for (const name of ["reviews-1", "reviews-2", "reviews-3"])
    await cluster.createPod("shop", name, "reviews");
  await cluster.createPod("shop", "ratings-1", "ratings");
  await cluster.createPod("weft-system", "weft-1", "weft");
});
after(async () => {
  await cluster?.close();
  rmSync(folder, { recursive: true });
});

async function setUp(t: TestContext, gateways: readonly string[] = []) {
  const directory = mkdtempSync(join(tmpdir(), "weft-ca-"));
  const clock = new FakeClock();
  const lines: string[] = [];
  const write = (fields: object, message: string) => void lines.push(`${JSON.stringify(fields)} ${message}`);
  const store = openStore({ directory, trustDomain, clock });
  const ca = await openCertificateAuthority({
    store,
    trustDomain,
    clock,
    log: { info: write, warn: write, error: write },
    serviceAccounts: { cluster: kubeconfig, audience: "weft", gateways },
  });
  t.after(() => {
    store.close();
    rmSync(directory, { recursive: true });
  });
  const ask = (auth: Caller) => ca.createCertificate({ csrPem, auth, address: "10.0.0.1" });
  return { ca, store, clock, lines, ask };
}

/** As the kubelet asks for it. */
function tokenOf(pod: string, serviceAccount = "reviews", audience?: string): Promise<string> {
  return cluster.tokenFor({
    namespace: "shop",
    serviceAccount,
    pod,
    ...(audience !== undefined && { audience }),
  });
}

function refused(answer: CertificateAnswer, code: RefusalCode, message: RegExp): void {
  assert.ok(!answer.isIssued, "it was issued");
  assert.match(answer.message, message);
  assert.equal(answer.code, code);
}

test(
  "a pod's token brings the identity of its service account, and the log says which pod",
  options,
  async (t) => {
    const mesh = await setUp(t);
    const token = await tokenOf("reviews-1");
    const answer = await mesh.ask({ token });
    assert.ok(answer.isIssued, answer.isIssued ? "" : answer.message);
    assert.equal(answer.spiffeId, reviews);
    assert.match(
      mesh.store.audit.recent(1)[0]!.authorizedBy,
      /^kubernetes pod shop\/reviews-1 [0-9a-f-]{36}$/,
    );
    assert.ok(!mesh.lines.join().includes(token), "the token is in no log");
  },
);

test("nobody gets another identity, and nobody the mesh's own", options, async (t) => {
  const mesh = await setUp(t);
  const other = await tokenOf("ratings-1", "ratings");
  refused(
    await mesh.ask({ token: other }),
    "permission-denied",
    /service-account token is for .*\/sa\/ratings/,
  );
  const own = await cluster.tokenFor({ namespace: "weft-system", serviceAccount: "weft", pod: "weft-1" });
  refused(await mesh.ask({ token: own }), "permission-denied", /is not a workload/);
});

test(
  "tokens that are not a pod's for this mesh are refused, with the reason in the log alone",
  options,
  async (t) => {
    const mesh = await setUp(t);
    const good = await tokenOf("reviews-1");
    const [head, body, signature] = good.split(".") as [string, string, string];
    const claims = JSON.parse(Buffer.from(body, "base64url").toString("utf8"));
    const forged = Buffer.from(JSON.stringify({ ...claims, exp: claims.exp + 3_600 })).toString("base64url");
    const unsigned = Buffer.from('{"alg":"none"}').toString("base64url");
    for (const [token, fault] of [
      [await cluster.tokenFor({ namespace: "shop", serviceAccount: "reviews" }), /not bound to a pod/],
      [await tokenOf("reviews-1", "reviews", "vault"), /not authenticated/],
      [await tokenOf("reviews-1", "reviews", ""), /not authenticated/],
      [`${head}.${forged}.${signature}`, /not authenticated/],
      [`${unsigned}.${body}.${signature}`, /not authenticated/],
      [`${head}.${body}.${signature.slice(0, -8)}AAAAAAAA`, /not authenticated/],
    ] as const) {
      refused(await mesh.ask({ token }), "unauthenticated", /^the service-account token is not good/);
      assert.match(mesh.lines.at(-2)!, fault);
      assert.ok(!mesh.lines.join().includes(token));
    }
    assert.equal(mesh.store.audit.countIssued(0).total, 0);
  },
);

test("whoever guesses tokens is slowed down before the API server is asked", options, async (t) => {
  const mesh = await setUp(t);
  for (let i = 0; i < 20; i += 1) refused(await mesh.ask({ token: `a.b.c${i}` }), "unauthenticated", /./);
  const token = await tokenOf("reviews-1");
  refused(await mesh.ask({ token }), "resource-exhausted", /too many tokens .* try again in 1 s/);
});

test(
  "a pod's certificate is renewed by its token, not by itself, and ends with the pod",
  options,
  async (t) => {
    const mesh = await setUp(t);
    const token = await tokenOf("reviews-2");
    const first = await mesh.ask({ token });
    assert.ok(first.isIssued);
    const { serial } = mesh.ca.identifyPeer(first.chainPem.join(""));
    refused(
      await mesh.ask({ peer: reviews, serial }),
      "unauthenticated",
      /by the service-account token of the pod/,
    );
    assert.ok((await mesh.ask({ token })).isIssued);
    await cluster.deletePod("shop", "reviews-2");
    // The API server itself remembers a good token for ten seconds.
    for (let tries = 0; (await mesh.ask({ token })).isIssued; tries += 1) {
      assert.ok(tries < 60, "the pod is gone, and its token is taken");
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    assert.match(mesh.lines.at(-2)!, /not authenticated/);
  },
);

test("a pod that had a revoked identity does not get it again; another pod does", options, async (t) => {
  const mesh = await setUp(t);
  const [stolen, other] = [await tokenOf("reviews-1"), await tokenOf("reviews-3")];
  assert.ok((await mesh.ask({ token: stolen })).isIssued);
  await mesh.clock.advance(1_000);
  mesh.ca.revocations.revoke({ identity: reviews });
  await mesh.clock.advance(1_000);
  refused(
    await mesh.ask({ token: stolen }),
    "permission-denied",
    /was revoked while this pod had it; delete the pod/,
  );
  const answer = await mesh.ask({ token: other });
  assert.ok(answer.isIssued);
  assert.equal(mesh.ca.verifyPeer(answer.chainPem.join("")), reviews);
});

test("an API server that does not answer is no refusal: the pod tries again", options, async (t) => {
  const mesh = await setUp(t);
  const token = await tokenOf("reviews-1");
  cluster.pause();
  try {
    const answers = await Promise.all(Array.from({ length: 9 }, () => mesh.ask({ token })));
    refused(answers[0]!, "unavailable", /the Kubernetes API server cannot be asked about the token/);
    refused(answers[8]!, "unavailable", /too many tokens are being reviewed/);
    assert.match(mesh.lines.join("\n"), /was not reviewed: 127\.0\.0\.1:\d+: no answer within 5 s/);
  } finally {
    cluster.resume();
  }
  assert.ok((await mesh.ask({ token })).isIssued, "and it counted for nothing");
});

test("a control plane that may not ask says so in its log, without its own token", options, async (t) => {
  const token = await tokenOf("reviews-1");
  const powerless = join(folder, "powerless");
  const own = await tokenOf("ratings-1", "ratings", "");
  writeFileSync(powerless, cluster.kubeconfig(own));
  const review = tokenReviewer({ cluster: powerless, audience: "weft", gateways: [] });
  await assert.rejects(review(token), (error: Error) => {
    assert.match(error.message, /answered 403: .*cannot create resource "tokenreviews"/);
    assert.ok(!error.message.includes(own) && !error.message.includes(token));
    return true;
  });
  t.diagnostic("its service account needs the ClusterRole system:auth-delegator");
});

test("pods of a service account that was named may be gateways, and no others", options, async (t) => {
  const mesh = await setUp(t, ["shop/reviews"]);
  assert.equal(mesh.ca.mayBeGateway(reviews), true);
  assert.equal(mesh.ca.mayBeGateway(parseSpiffeId("spiffe://cluster.local/ns/shop/sa/ratings")), false);
  await assert.rejects(setUp(t, ["shop"]), /--gateway-service-account shop: .*not a service account/);
});
