/**
 * Leaves and the root are replaced under load, with our sidecar and Envoy at
 * either end of the calls: none fails, also when the control plane is killed on the way.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { LocalMesh } from "./local-mesh.ts";
import { kinds, MeshPairs, noPairs, pairs } from "./mesh-pairs.ts";

const rate = 125;
const loadClient = join(import.meta.dirname, "..", "bench", "constant-rate-client.ts");

describe("certificates are replaced under 500 requests per second", { skip: noPairs ?? false }, () => {
  let scene: MeshPairs;
  let mesh: LocalMesh;

  before(async () => {
    scene = await MeshPairs.start({ planeFlags: ["--certificate-ttl", "30s"] });
    mesh = scene.mesh;
  });
  after(() => scene?.close());

  /** Requests of every pair, and handshakes of every pair, for this long; resolves to what failed, in words. */
  async function load(
    seconds: number,
  ): Promise<{ readonly requests: number; readonly failed: readonly string[] }> {
    const failed: string[] = [];
    const startMs = Date.now();
    const clients = pairs.map(async ([caller, callee]) => {
      const failures = await startClient(scene.url(caller, callee), seconds);
      if (failures > 0) failed.push(`${failures} requests from ${caller} to ${callee}`);
    });
    let handshakes = 0;
    const connections = pairs.map(async ([caller, callee]) => {
      for (let nowMs = startMs; nowMs < startMs + seconds * 1_000; nowMs = Date.now()) {
        handshakes += 1;
        if (!(await scene.isEchoed(caller, callee))) {
          const when = `begun ${nowMs - startMs} ms after the load was, over ${Date.now() - nowMs} ms later`;
          failed.push(`a handshake from ${caller} to ${callee}, ${when}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    });
    await Promise.all([...connections, ...clients]);
    return { requests: pairs.length * rate * seconds + handshakes, failed };
  }

  async function startClient(target: string, seconds: number): Promise<number> {
    const args = ["--no-warnings", loadClient, target, "http1", String(rate), String(seconds), "8"];
    const child: ChildProcess = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    let printed = "";
    child.stdout!.on("data", (chunk) => (printed += chunk));
    await once(child, "close");
    return (JSON.parse(printed) as { failures: number }).failures;
  }

  test("a rotation of leaves and root fails no call", async (t) => {
    const before = await Promise.all(kinds.map((kind) => scene.shownBy(kind)));
    const oldRoot = new X509Certificate((await scene.status()).rootPem);
    // Half of a certificate's life and the phases of a rotation, whichever comes later.
    const seconds = 25;
    const loaded = load(seconds);
    const rotated = await mesh.weft("ca", "rotate", "-o", "json");
    assert.equal(rotated.code, 0, rotated.stderr);
    const { requests, failed } = await loaded;
    const newRoot = new X509Certificate((await scene.status()).rootPem);
    const shown = await Promise.all(kinds.map((kind) => scene.shownBy(kind)));
    for (const [index, certificate] of shown.entries()) {
      assert.ok(certificate.verify(newRoot.publicKey) && !certificate.verify(oldRoot.publicKey));
      assert.notEqual(certificate.serialNumber, before[index]!.serialNumber);
    }
    const { issued } = await scene.status();
    assert.ok(issued >= 4 * 3, `${issued} certificates: each workload renewed for age and for the root`);
    t.diagnostic(`${requests} requests and handshakes, ${issued} certificates issued`);
    assert.deepEqual(failed, []);
    assert.match(rotated.stderr, /trust: .*\n.*issue: .*\n.*retire: .*\n.*done/);
  });

  test("forced, the old root is distrusted within seconds, and every pair calls by the new one", async () => {
    const before = await scene.status();
    const oldRoot = new X509Certificate(before.rootPem);
    const { code, stderr } = await mesh.weft("ca", "rotate", "--force");
    assert.equal(code, 0, stderr);
    const { bundlePem, rotation } = await scene.status();
    assert.ok(rotation?.isForced && rotation.from.fingerprint === before.rootFingerprint);
    assert.equal(bundlePem.match(/BEGIN/g)?.length, 1);
    for (const [caller, callee] of pairs) {
      await mesh.until(`${caller} reaches ${callee} by the new root`, () => scene.isEchoed(caller, callee));
    }
    for (const kind of kinds) assert.ok(!(await scene.shownBy(kind)).verify(oldRoot.publicKey));
  });

  for (const phase of ["trust", "issue", "retire"]) {
    test(`killed in phase ${phase}, the control plane goes on where it was, and no call fails`, async (t) => {
      const { rootFingerprint } = await scene.status();
      const loaded = load(20);
      assert.equal((await mesh.weft("ca", "rotate", "--no-wait")).code, 0);
      await mesh.until(`phase ${phase}`, async () => (await scene.status()).rotation?.phase === phase);
      if (phase === "trust") {
        assert.match(
          (await mesh.weft("status")).stderr,
          /the root is being replaced, phase (trust|issue|retire)/,
        );
      }
      await mesh.killControlPlane();
      await mesh.startControlPlane();
      await mesh.until("the rotation is done", async () => {
        const { rotation } = await scene.status();
        return rotation?.phase === "done" && rotation.from.fingerprint === rootFingerprint;
      });
      const { requests, failed } = await loaded;
      t.diagnostic(`${requests} requests and handshakes`);
      if (failed.length > 0) t.diagnostic(mesh.said);
      assert.deepEqual(failed, []);
    });
  }
});
