import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { UserError } from "@weft/base/errors";
import { formatJoinToken, newJoinToken } from "@weft/identity/join-token";
import { parseSpiffeId, parseTrustDomain } from "@weft/identity/spiffe-id";
import { bundlePins } from "@weft/identity/trust-bundle";
import { FakeClock } from "@weft/testkit/fake-clock";
import { TestCa } from "@weft/testkit/test-ca";
import { GrpcError, grpcCode } from "@weft/xds/grpc/grpc-status";
import type { EnrolmentTarget } from "./certificate-authority.ts";
import { type Enrolment, joinTokenEnrolment } from "./enrolment.ts";
import { IdentityFile } from "./identity-file.ts";
import { IdentityKeeper, type IdentityOptions } from "./identity-keeper.ts";
import { assembleSvid, type Svid } from "./svid.ts";

const minuteMs = 60_000;
const lifeMs = 10 * minuteMs;
const away = new GrpcError(grpcCode.unavailable, "10.0.0.2:15012: connection refused");

let folder: string;
let clock: FakeClock;
let ca: TestCa;
let target: EnrolmentTarget;
let said: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "weft-identity-"));
  clock = new FakeClock();
  ca = new TestCa({ nowMs: clock.now() });
  said = [];
  target = {
    host: "10.0.0.2",
    port: 15012,
    trustDomain: parseTrustDomain("cluster.local"),
    spiffeId: parseSpiffeId("spiffe://cluster.local/ns/default/sa/web"),
    clock,
  };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Valid from now for ten minutes. */
function issue(): Svid {
  const nowMs = clock.now();
  const leaf = ca.leaf("default", "web", { notBeforeMs: nowMs, notAfterMs: nowMs + lifeMs });
  return assembleSvid(leaf.chainPem, leaf.keys, target, nowMs);
}

interface Ways extends Partial<Pick<IdentityOptions, "random">>, Partial<Pick<Enrolment, "enrol" | "renew">> {
  readonly readToken?: () => string | undefined;
}

function open({
  readToken = () => "token",
  random = () => 0.5,
  ...ways
}: Ways = {}): Promise<IdentityKeeper> {
  return IdentityKeeper.open({
    target,
    file: new IdentityFile(join(folder, "identity", "svid.json")),
    talk: (line) => said.push(line),
    random,
    enrolment: {
      ...joinTokenEnrolment(readToken),
      enrol: async () => issue(),
      renew: async () => issue(),
      ...ways,
    },
  });
}

/** In steps, as what waits begins to wait only after what it waited for before. */
async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 250) await clock.advance(250);
}

const noToken = { readToken: () => undefined, enrol: () => assert.fail("enrolled again") };

test("a certificate is renewed at half of its life, again and again", async () => {
  const keeper = await open();
  const serials = [keeper.svid.serial];
  keeper.onRotated((svid) => serials.push(svid.serial));
  await clock.advance(lifeMs / 2 - 1_000);
  assert.equal(serials.length, 1, "not earlier");
  await clock.advance(1_000);
  assert.equal(serials.length, 2);
  await clock.advance(lifeMs / 2);
  assert.equal(serials.length, 3);
  assert.equal(new Set(serials).size, 3);
  assert.equal(keeper.svid.serial, serials.at(-1));
  keeper.close();
  assert.equal(clock.pendingTimers, 0);
});

test("jitter moves the renewal to either side of the half", async () => {
  for (const [random, earliest] of [
    [0, 0.4],
    [0.999_999, 0.599],
  ] as const) {
    let renewals = 0;
    const keeper = await open({
      random: () => random,
      renew: async () => {
        renewals += 1;
        return issue();
      },
    });
    await clock.advance(lifeMs * earliest - 1_000);
    assert.equal(renewals, 0);
    await clock.advance(5_000);
    assert.equal(renewals, 1);
    keeper.close();
    rmSync(join(folder, "identity"), { recursive: true });
  }
});

test("while the control plane is away the certificate stays in force, and is renewed soon after it is back", async () => {
  let isAway = true;
  const keeper = await open({
    renew: async () => {
      if (isAway) throw away;
      return issue();
    },
  });
  const { serial } = keeper.svid;
  await pass(lifeMs * 0.9);
  assert.equal(keeper.svid.serial, serial);
  assert.equal(said.length, 1, "said once, not at each attempt");
  assert.match(
    said[0]!,
    /certificate not renewed: 10\.0\.0\.2:15012: connection refused; .* valid until 2026-/,
  );
  isAway = false;
  await pass(30_000);
  assert.notEqual(keeper.svid.serial, serial);
  assert.match(said.at(-1)!, /certificate renewed/);
  keeper.close();
});

test("an agent that comes back needs no token while its certificate is good", async () => {
  const first = await open();
  first.close();
  const second = await open(noToken);
  assert.equal(second.svid.serial, first.svid.serial);
  assert.equal(statSync(join(folder, "identity")).mode & 0o777, 0o700);
  assert.equal(statSync(join(folder, "identity", "svid.json")).mode & 0o777, 0o600);
  second.close();
});

test("a token for another control plane's root replaces what is kept; one for the same root does not", async () => {
  const first = await open();
  first.close();
  const tokenFor = (from: Svid) => formatJoinToken(newJoinToken(bundlePins(from.bundle)[0]!));
  const same = tokenFor(first.svid);
  const again = await open({ readToken: () => same, enrol: () => assert.fail("enrolled again") });
  again.close();
  assert.equal(again.svid.serial, first.svid.serial);

  ca = new TestCa({ nowMs: clock.now() });
  const other = tokenFor(issue());
  const moved = await open({ readToken: () => other });
  moved.close();
  assert.notEqual(moved.svid.bundlePem, first.svid.bundlePem);
  assert.match(said.join(), /is not used: the join token is for another control plane/);
});

test("a renewed identity is the one that is kept", async () => {
  const first = await open();
  await clock.advance(lifeMs / 2);
  const { serial } = first.svid;
  first.close();
  const second = await open(noToken);
  assert.equal(second.svid.serial, serial);
  second.close();
});

test("an identity that expired or is damaged is not used, and says why", async () => {
  const first = await open();
  first.close();
  await clock.advance(lifeMs + minuteMs);
  const second = await open();
  assert.match(said.at(-1)!, /svid\.json is not used: .*expired/);
  assert.notEqual(second.svid.serial, first.svid.serial);
  second.close();
  writeFileSync(join(folder, "identity", "svid.json"), "{");
  const third = await open();
  assert.match(said.at(-1)!, /is not used/);
  third.close();
});

test("without a token and without an identity the next step is named", async () => {
  await assert.rejects(open({ readToken: () => undefined }), (error) => {
    assert.ok(error instanceof UserError);
    assert.match(error.message, /no join token/);
    assert.match(error.hint ?? "", /weft token create.*--token-file/);
    return true;
  });
});

test("a control plane that starts a little later is waited for; one that never does ends the start", async () => {
  let attempts = 0;
  const late = open({
    enrol: async () => {
      attempts += 1;
      if (attempts < 4) throw away;
      return issue();
    },
  });
  await pass(10_000);
  (await late).close();
  assert.equal(said.filter((line) => line.startsWith("waiting for the control plane")).length, 1);

  rmSync(join(folder, "identity"), { recursive: true });
  const never = open({ enrol: () => Promise.reject(away) });
  const ended = assert.rejects(never, (error) => {
    assert.ok(error instanceof UserError);
    assert.match(error.message, /no certificate from the control plane: 10\.0\.0\.2:15012/);
    assert.match(error.hint ?? "", /--control-plane/);
    return true;
  });
  await pass(60_000);
  await ended;
  assert.equal(clock.pendingTimers, 0);
});

test("a refused token is not tried again", async () => {
  let attempts = 0;
  const refused = new UserError("the join token was refused");
  await assert.rejects(
    open({
      enrol: () => {
        attempts += 1;
        return Promise.reject(refused);
      },
    }),
    refused,
  );
  assert.equal(attempts, 1);
});

/** Another root of the same domain, as a rotation makes one. */
function issueFrom(authority: TestCa): Svid {
  const nowMs = clock.now();
  const leaf = authority.leaf("default", "web", { notBeforeMs: nowMs, notAfterMs: nowMs + lifeMs });
  return assembleSvid(leaf.chainPem, leaf.keys, target, nowMs);
}

test("a rotation of the root: both are trusted, then a certificate of the new one comes within seconds", async () => {
  const next = new TestCa({ nowMs: clock.now() });
  let renewals = 0;
  const keeper = await open({
    random: () => 0.999,
    renew: async () => {
      renewals += 1;
      return issueFrom(next);
    },
  });
  const seen: (readonly [string, string])[] = [];
  keeper.onRotated((svid) => seen.push([svid.serial, svid.bundlePem]));
  const { serial } = keeper.svid;
  const [both, swapped] = [ca.bundlePem + next.bundlePem, next.bundlePem + ca.bundlePem];
  keeper.setBundle(both);
  keeper.setBundle(both);
  assert.deepEqual(seen, [[serial, both]], "told once");
  await clock.advance(60_000);
  assert.equal(renewals, 0, "its root still issues");
  keeper.setBundle(swapped);
  await clock.advance(4_000);
  assert.equal(renewals, 0, "not all of the mesh at once");
  await clock.advance(1_000);
  assert.equal(renewals, 1);
  assert.equal(
    keeper.svid.bundlePem,
    swapped,
    "what the control plane said, rather than what came with the certificate",
  );
  keeper.setBundle(next.bundlePem);
  await clock.advance(60_000);
  assert.equal(renewals, 1);
  assert.equal(seen.length, 4);
  keeper.close();
  const again = await open({ ...noToken });
  assert.equal(again.svid.bundlePem, next.bundlePem, "kept for the next run");
  again.close();
});

test("a certificate that was on its way while the root changed is replaced too", async () => {
  const next = new TestCa({ nowMs: clock.now() });
  const roots = [ca, next];
  const keeper = await open({
    renew: async () => {
      const svid = issueFrom(roots.shift()!);
      if (roots.length === 1) keeper.setBundle(next.bundlePem + ca.bundlePem);
      return svid;
    },
  });
  await clock.advance(lifeMs / 2 + 5_000);
  assert.equal(roots.length, 0, "renewed twice");
  assert.equal(keeper.svid.bundlePem, next.bundlePem + ca.bundlePem);
  keeper.close();
});

test("a distrusted root leaves the bundle though the own certificate is of it, and that is renewed", async () => {
  const next = new TestCa({ nowMs: clock.now() });
  let presented: string | undefined;
  const keeper = await open({
    renew: async (_target, svid) => {
      presented = svid.serial;
      return issueFrom(next);
    },
  });
  const { serial } = keeper.svid;
  keeper.setBundle(next.bundlePem);
  assert.equal(keeper.svid.bundlePem, next.bundlePem);
  await clock.advance(5_000);
  assert.equal(presented, serial);
  assert.notEqual(keeper.svid.serial, serial);
  assert.throws(() => keeper.setBundle("no bundle"));
  assert.equal(keeper.svid.bundlePem, next.bundlePem);
  keeper.close();
});
