import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { formatSpiffeBundle, type SpiffeBundle } from "@weft/identity/spiffe-bundle";
import { parseTrustDomain } from "@weft/identity/spiffe-id";
import { FakeClock } from "@weft/testkit/fake-clock";
import { TestCa } from "@weft/testkit/test-ca";
import type { FederationSource } from "../model/federation-source.ts";
import { openStore } from "../store/open-store.ts";
import { FederatedBundles } from "./federated-bundles.ts";

const own = new TestCa();
const west = [
  new TestCa({ trustDomain: "west.example" }),
  new TestCa({ trustDomain: "west.example" }),
] as const;
const { trustDomain } = west[0];
const bundleOf = (sequence: bigint | undefined, ...roots: readonly TestCa[]): SpiffeBundle => ({
  trustDomain,
  roots: roots.map(({ root }) => root),
  jwtKeys: [],
  sequence,
  refreshHintS: 10,
});
const source: FederationSource = {
  trustDomain,
  endpoint: { url: "https://west.example/", spiffeId: undefined },
  name: "ClusterFederatedTrustDomain west",
};

function setUp(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "weft-federation-"));
  const clock = new FakeClock();
  const answers: (SpiffeBundle | Error)[] = [];
  const changes: string[] = [];
  const problems: (string | undefined)[] = [];
  let asked = 0;
  const open = () => {
    const store = openStore({ directory, trustDomain: parseTrustDomain("cluster.local"), clock });
    const bundles = new FederatedBundles({
      clock,
      store: store.bundles,
      own: () => own.bundle,
      random: () => 0,
      async fetch() {
        asked += 1;
        const answer = answers.length > 1 ? answers.shift()! : (answers[0] ?? new Error("away"));
        if (answer instanceof Error) throw answer;
        return answer;
      },
      onChange: ({ sequence }) => changes.push(`${sequence}`),
      onFetched: (_, problem) => problems.push(problem),
    });
    return { store, bundles };
  };
  let opened = open();
  const close = () => {
    opened.bundles.close();
    opened.store.close();
  };
  t.after(() => {
    close();
    rmSync(directory, { recursive: true });
  });
  return {
    clock,
    answers,
    changes,
    problems,
    get asked() {
      return asked;
    },
    get bundles() {
      return opened.bundles;
    },
    /** The root that holds now: which of the two, or none. */
    get root() {
      const pem = opened.bundles.current[0]?.roots[0]?.pem;
      return west.findIndex(({ root }) => root.pem === pem);
    },
    restart() {
      close();
      opened = open();
    },
  };
}

test("a bundle is fetched at once, and again as often as it hints", async (t) => {
  const scene = setUp(t);
  scene.answers.push(bundleOf(1n, west[0]), bundleOf(2n, west[0], west[1]));
  scene.bundles.follow([source]);
  await scene.clock.advance(0);
  assert.deepEqual([scene.root, scene.asked], [0, 1]);
  await scene.clock.advance(9_999);
  assert.equal(scene.asked, 1);
  await scene.clock.advance(1);
  assert.equal(scene.bundles.current[0]!.roots.length, 2);
  assert.deepEqual(scene.changes, ["1", "2"]);
});

const refused: readonly [what: string, next: SpiffeBundle, why: RegExp][] = [
  ["is older", bundleOf(4n, west[1]), /sequence number 4 is below 5/],
  ["differs under the same number", bundleOf(5n, west[1]), /has the same sequence number 5/],
  ["has no number any more", bundleOf(undefined, west[1]), /has no sequence number, where 5/],
];
for (const [what, next, why] of refused) {
  test(`a bundle that ${what} is refused, also after a restart, and the last good one holds`, async (t) => {
    const scene = setUp(t);
    scene.answers.push(bundleOf(5n, west[0]), next);
    scene.bundles.follow([source]);
    await scene.clock.advance(0);
    await scene.clock.advance(10_000);
    assert.equal(scene.root, 0);
    assert.match(scene.bundles.all[0]!.problem ?? "", why);
    scene.restart();
    scene.bundles.follow([source]);
    assert.equal(scene.root, 0, "from the disk");
    await scene.clock.advance(0);
    await scene.clock.advance(10_000);
    assert.equal(scene.root, 0);
    assert.match(scene.problems.at(-1) ?? "", why);
  });
}

test("while an endpoint is away the last good bundle holds, and it is asked no more often than it hinted", async (t) => {
  const scene = setUp(t);
  scene.answers.push(bundleOf(1n, west[0]), new Error("away"));
  scene.bundles.follow([source]);
  await scene.clock.advance(0);
  await scene.clock.advance(100_000);
  assert.deepEqual([scene.root, scene.asked], [0, 11]);
  assert.equal(scene.bundles.all[0]!.problem, "away");
});

test("an operator's bundle holds until the first answer, and another one begins anew", async (t) => {
  const scene = setUp(t);
  const first = { ...source, initial: formatSpiffeBundle(bundleOf(9n, west[0])) };
  scene.bundles.follow([first]);
  assert.equal(scene.root, 0);
  await scene.clock.advance(0);
  scene.answers.push(bundleOf(10n, west[1]));
  await scene.clock.advance(1_000);
  assert.equal(scene.root, 1);
  const again = { ...source, initial: formatSpiffeBundle(bundleOf(2n, west[0])) };
  scene.answers.splice(0, 1, new Error("away"));
  assert.equal(scene.bundles.follow([again]), true);
  assert.equal(scene.root, 0, "what was fetched after the old one is not believed");
});

test("a trust domain that is no longer federated with is forgotten, on the disk too", async (t) => {
  const scene = setUp(t);
  scene.answers.push(bundleOf(5n, west[0]), new Error("away"));
  scene.bundles.follow([source]);
  await scene.clock.advance(0);
  assert.equal(scene.bundles.follow([]), true);
  assert.deepEqual(scene.bundles.current, []);
  scene.bundles.follow([source]);
  assert.equal(scene.root, -1);
});

test("roots that are written down need no endpoint", async (t) => {
  const scene = setUp(t);
  scene.bundles.follow([{ trustDomain, pem: west[1].bundlePem, name: "caCertificates of the MeshConfig" }]);
  await scene.clock.advance(600_000);
  assert.deepEqual([scene.root, scene.asked], [1, 0]);
});
