/**
 * Time against the mesh, with our sidecar and Envoy at either end: clocks that
 * differ, hosts that sleep past every expiry, and a control plane that is away for longer.
 */
import assert from "node:assert/strict";
import { globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { kinds, MeshPairs, noPairs, pairs } from "./mesh-pairs.ts";

const skip = noPairs ?? false;
/** The shortest there are: renewed seven seconds after they were issued, over after twenty. */
const shortLived = ["--certificate-ttl", "20s"];

async function areAll(
  ask: (caller: (typeof kinds)[number], callee: (typeof kinds)[number]) => Promise<boolean>,
  wanted: boolean,
): Promise<boolean> {
  const answers = await Promise.all(pairs.map(([caller, callee]) => ask(caller, callee)));
  return answers.every((answer) => answer === wanted);
}

/** Until every certificate that is in force now has expired. */
async function pastEveryExpiry(
  scene: MeshPairs,
  meanwhile: (leftMs: number) => Promise<void>,
): Promise<void> {
  const shown = await Promise.all(kinds.map((kind) => scene.shownBy(kind)));
  // Callers renewed at another moment: none of theirs lasts longer than one that was issued just now.
  const endMs = Math.max(...shown.map(({ validTo }) => Date.parse(validTo)), Date.now() + 20_000) + 1_000;
  const firstMs = Math.min(...shown.map(({ validTo }) => Date.parse(validTo)));
  for (let nowMs = Date.now(); nowMs < endMs; nowMs = Date.now()) await meanwhile(firstMs - nowMs);
}

const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

describe("a mesh of short-lived certificates", { skip }, () => {
  let scene: MeshPairs;
  const isEchoed = (...pair: Parameters<MeshPairs["isEchoed"]>) => scene.isEchoed(...pair);
  before(async () => {
    scene = await MeshPairs.start({ planeFlags: shortLived });
  });
  after(() => scene?.close());

  for (const isPlaneAsleep of [false, true]) {
    const who = isPlaneAsleep ? "hosts, and the control plane's," : "hosts";
    test(`${who} that slept past every expiry come back by themselves`, async (t) => {
      const { mesh } = scene;
      const asleep = pastEveryExpiry(scene, () => wait(100));
      await wait(100);
      for (const name of scene.workloads) mesh.signalTree(name, "SIGSTOP");
      if (isPlaneAsleep) mesh.signalControlPlane("SIGSTOP");
      await asleep;
      // Before the first of them wakes: it may renew while the others are still asleep.
      const wokenMs = Date.now();
      if (isPlaneAsleep) mesh.signalControlPlane("SIGCONT");
      for (const name of scene.workloads) mesh.signalTree(name, "SIGCONT");
      await mesh.until("every pair calls", () => areAll(isEchoed, true), 60);
      t.diagnostic(`every pair calls ${((Date.now() - wokenMs) / 1000).toFixed(1)} s after the wake`);
      const { stdout } = await mesh.weft("audit", "log", "--event", "certificate issued", "-o", "json");
      const entries = JSON.parse(stdout) as { atMs: number; authorizedBy: string }[];
      const since = entries.filter(({ atMs }) => atMs >= wokenMs);
      assert.ok(since.length >= 4, "each has another certificate");
      for (const { authorizedBy } of since)
        assert.match(authorizedBy, /^(certificate spiffe:|control plane)/);
    });
  }

  test("serves until its certificates expire, then refuses, and is back soon after it", async (t) => {
    const { mesh } = scene;
    await mesh.killControlPlane();
    let served = 0;
    await pastEveryExpiry(scene, async (leftMs) => {
      const isGood = await areAll(isEchoed, true);
      if (leftMs > 3_000) {
        assert.ok(isGood, "certificates are valid, and a call failed");
        served += 1;
      }
      await wait(200);
    });
    assert.ok(served > 0);
    t.diagnostic(`${served} times each pair called without the control plane`);
    for (const [caller, callee] of pairs) {
      assert.equal(await scene.isEchoed(caller, callee), false, `expired, and ${caller} reaches ${callee}`);
    }
    await mesh.startControlPlane();
    const backMs = Date.now();
    await mesh.until("every pair calls", () => areAll(isEchoed, true), 60);
    t.diagnostic(`every pair calls ${((Date.now() - backMs) / 1000).toFixed(1)} s after it is back`);
  });
});

const setpriv = findPeer("setpriv");
const [library] = globSync("/usr/lib/*/faketime/libfaketime.so.1");
const noSkew = library === undefined && "there is no libfaketime (Debian's faketime)";
if (noSkew && process.env.CI) throw new Error(`CI must provide it: ${noSkew}`);

describe("a mesh whose clocks differ by forty seconds", { skip: skip || noSkew }, () => {
  test("twenty ahead and twenty behind the control plane, all join, call and follow a new root", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "weft-e2e-time-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const scene = await MeshPairs.start({
      planeFlags: ["--certificate-ttl", "3m"],
      envOf(role, kind) {
        const clock = {
          LD_PRELOAD: library!,
          FAKETIME: (role === "api") === (kind === "weft") ? "+20" : "-20",
          FAKETIME_DONT_FAKE_MONOTONIC: "1",
          NO_FAKE_STAT: "1",
        };
        // Envoy does not start under libfaketime: its own clock is right, and its certificates are of one that is not.
        if (kind === "envoy") return clock;
        // A data plane is not given its agent's environment: setpriv, which starts it, sets its clock.
        const programs = join(folder, `${role}-${kind}`);
        const set = Object.entries(clock).map(([name, value]) => `${name}=${value}`);
        mkdirSync(programs);
        writeFileSync(join(programs, "setpriv"), `#!/bin/sh\nexec env ${set.join(" ")} ${setpriv} "$@"\n`, {
          mode: 0o755,
        });
        return { ...clock, PATH: `${programs}${delimiter}${process.env.PATH}` };
      },
    });
    t.after(() => scene.close());
    const isEchoed = (...pair: Parameters<MeshPairs["isEchoed"]>) => scene.isEchoed(...pair);
    const rotated = await scene.mesh.weft("ca", "rotate");
    assert.equal(rotated.code, 0, rotated.stderr);
    for (let round = 0; round < 5; round += 1) assert.ok(await areAll(isEchoed, true));
    const { issued } = await scene.status();
    assert.ok(issued < 40, `${issued} certificates: nobody renews in a circle`);
  });
});
