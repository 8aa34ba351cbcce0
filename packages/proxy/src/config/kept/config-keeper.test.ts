import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { MetricRegistry } from "@weft/base/metric-registry";
import { FakeClock } from "@weft/testkit/fake-clock";
import { ConfigKeeper } from "./config-keeper.ts";
import type { KeptResource } from "./kept-format.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "weft-kept-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const resource = (name: string, body = "body"): KeptResource => ({
  type: "t",
  source: "ads",
  name,
  version: "1",
  body: Buffer.from(body),
});

function keeper(options: { readonly owner?: string } = {}) {
  const clock = new FakeClock();
  const warnings: string[] = [];
  const resources: KeptResource[] = [resource("a")];
  const registry = new MetricRegistry();
  const writes = registry.counter("writes", "").with();
  const path = join(directory, "private", "kept");
  const kept = new ConfigKeeper({
    clock,
    path,
    owner: options.owner ?? "me",
    resources: () => resources,
    stats: {
      writes,
      failures: registry.counter("failures", "").with(),
      inForce: registry.gauge("in_force", "").with(),
    },
    warn: (message) => warnings.push(message),
  });
  return { kept, clock, warnings, resources, writes, path };
}

const names = ({ kept }: ReturnType<typeof keeper>) => kept.read()?.resources.map(({ name }) => name);

test("what was accepted is read back, by the same node only", async () => {
  const k = keeper();
  k.kept.changed();
  await k.kept.close();
  assert.deepEqual(k.kept.read()?.resources, [resource("a")]);
  const other = keeper({ owner: "somebody else" });
  assert.equal(other.kept.read(), undefined);
  assert.match(other.warnings.join(), /is not used: it is for another node or management server/);
});

test("a series of changes is one write, and what has not changed none", async () => {
  const k = keeper();
  for (let i = 0; i < 100; i++) k.kept.changed();
  assert.equal(existsSync(k.path), false, "nothing is written while changes arrive");
  await k.clock.advance(1_000);
  await k.kept.close();
  assert.equal(k.writes.value, 1);
  k.kept.changed();
  await k.kept.close();
  assert.equal(k.writes.value, 1);
  k.resources.push(resource("b"));
  k.kept.changed();
  await k.kept.close();
  assert.deepEqual(names(k), ["a", "b"]);
});

test("the file is its owner's alone and holds no private key", async () => {
  const k = keeper();
  k.resources.push(resource("tls", "…-----BEGIN EC PRIVATE KEY-----…"));
  k.kept.changed();
  await k.kept.close();
  assert.deepEqual(names(k), ["a"]);
  assert.equal(statSync(k.path).mode & 0o777, 0o600);
  assert.equal(statSync(join(k.path, "..")).mode & 0o777, 0o700);
});

const damages: readonly [what: string, damage: (path: string) => void, reason: RegExp][] = [
  ["a flipped byte", (path) => edit(path, (text) => text.replace("Ym9", "Ym8")), /checksum/],
  ["a cut end", (path) => edit(path, (text) => text.slice(0, -4)), /checksum/],
  ["no header", (path) => writeFileSync(path, "hello"), /does not begin with a header/],
  ["nothing in it", (path) => writeFileSync(path, ""), /does not begin with a header/],
  ["another format", (path) => edit(path, (text) => text.replace("config-1", "config-9")), /another format/],
  ["others' right to write", (path) => chmodSync(path, 0o666), /others may write it/],
];
for (const [what, damage, reason] of damages) {
  test(`a file with ${what} is ignored and its reason told once`, async () => {
    const k = keeper();
    k.kept.changed();
    await k.kept.close();
    damage(k.path);
    assert.equal(k.kept.read(), undefined);
    assert.equal(k.warnings.length, 1);
    assert.match(k.warnings[0]!, reason);
  });
}

test("no file is nothing to speak of, and a place that cannot be written is told once", async () => {
  const k = keeper();
  assert.equal(k.kept.read(), undefined);
  writeFileSync(join(directory, "private"), "a file where a folder should be");
  for (const name of ["b", "c"]) {
    k.resources.push(resource(name));
    k.kept.changed();
    await k.kept.close();
  }
  assert.equal(k.warnings.length, 1);
  assert.match(k.warnings[0]!, /cannot be kept/);
});

function edit(path: string, change: (text: string) => string): void {
  writeFileSync(path, change(readFileSync(path, "utf8")));
}
