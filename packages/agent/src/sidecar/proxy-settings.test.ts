import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { FakeClock } from "@weft/testkit/fake-clock";
import { chooseDataPlane } from "./data-plane.ts";
import { ProxySettingsKeeper } from "./proxy-settings.ts";

const folder = mkdtempSync(join(tmpdir(), "weft-settings-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, "proxy-settings.json");

test("a proxy is started as the mesh says, and as it said where it says nothing", async () => {
  const clock = new FakeClock();
  const said: string[] = [];
  const keeper = new ProxySettingsKeeper(path, clock, (line) => said.push(line));
  const first = keeper.first();
  const wanted = { concurrency: 3, environment: { REGION: "west" } };
  keeper.set(wanted);
  assert.deepEqual(await first, wanted);
  assert.deepEqual(said, []);
  keeper.set({ ...wanted, concurrency: 4 });
  assert.match(said.join("\n"), /run it anew/);

  writeFileSync(path, JSON.stringify(wanted));
  const alone = new ProxySettingsKeeper(path, clock, () => {}).first();
  clock.advance(2_000);
  assert.deepEqual(await alone, wanted, "as it last said");
  for (const broken of ["{", '"x"', '{"concurrency":"3","environment":{"A":1}}']) {
    writeFileSync(path, broken);
    const ordinary = new ProxySettingsKeeper(path, clock, () => {}).first();
    clock.advance(2_000);
    assert.deepEqual(await ordinary, { concurrency: undefined, environment: {} }, broken);
  }
});

test("workers are as many as the start says, else as the mesh says, else one", () => {
  const files = { bootstrapPath: "/b", keptConfigPath: "/k", requestsSocketPath: "/r" };
  const base = { name: "a", ports: [], command: [], productVersion: "0", proxyCommand: ["/weft", "proxy"] };
  const workers = (own: number | undefined, said: number | undefined) => {
    const command = chooseDataPlane({ ...base, concurrency: own })!.command(files, { concurrency: said });
    return Number(command[command.indexOf("--concurrency") + 1]);
  };
  assert.deepEqual([workers(2, 5), workers(undefined, 5), workers(undefined, undefined)], [2, 5, 1]);
  assert.ok(workers(undefined, 0) >= 1, "0 is as many as there are processors");
});
