import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { makeDirectory } from "./make-directory.ts";

const root = mkdtempSync(join(tmpdir(), "weft-directory-"));
after(() => rmSync(root, { recursive: true }));

test("missing directories are made with their mode, and a second time changes nothing", () => {
  const path = join(root, "a", "b", "c");
  makeDirectory(path, 0o700);
  makeDirectory(path, 0o755);
  assert.equal(statSync(path).mode & 0o777, 0o700);
});

test("processes that make the same directories at once do not fail each other", async () => {
  const module = import.meta.resolve("./make-directory.ts");
  const script = (start: number) => `
    import { makeDirectory } from ${JSON.stringify(module)};
    while (Date.now() < ${start}) {}
    for (let i = 0; i < 300; i++) makeDirectory(${JSON.stringify(join(root, "race"))} + "/" + i + "/a/b", 0o755);`;
  const start = Date.now() + 400;
  const codes = await Promise.all(
    [1, 2, 3, 4].map(async () => {
      const flags = ["--no-warnings", "--input-type=module", "-e", script(start)];
      const [code] = await once(spawn(process.execPath, flags, { stdio: "inherit" }), "exit");
      return code;
    }),
  );
  assert.deepEqual(codes, [0, 0, 0, 0]);
});

const refused: readonly (readonly [string, string, string])[] = [
  ["in a file system that takes no directories", "/proc/weft/state", "ENOENT"],
  ["where a file is in the way", join(root, "file"), "EEXIST"],
  ["below a file", join(root, "file", "state"), "ENOTDIR"],
];
for (const [name, path, code] of refused) {
  test(`a directory ${name} is refused and not waited for`, () => {
    writeFileSync(join(root, "file"), "");
    assert.throws(() => makeDirectory(path, 0o700), { code });
  });
}
