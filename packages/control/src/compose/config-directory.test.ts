import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { UserError } from "@weft/base/errors";
import { FakeClock } from "@weft/testkit/fake-clock";
import { ConfigDirectory } from "./config-directory.ts";

function setUp(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "weft-config-"));
  const clock = new FakeClock();
  const problems: string[] = [];
  let changes = 0;
  writeFileSync(join(directory, "a.yaml"), "a: 1");
  const watched = new ConfigDirectory({
    directory,
    clock,
    onChange: () => {
      changes += 1;
    },
    onProblem: (message) => problems.push(message),
  });
  watched.start();
  t.after(() => {
    watched.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return { directory, clock, watched, problems, changes: () => changes };
}

test("files are read in order of name, below it as well, and only YAML and JSON", (t) => {
  const { directory } = setUp(t);
  mkdirSync(join(directory, "team"));
  mkdirSync(join(directory, ".git"));
  for (const file of ["team/z.yml", "b.json", "notes.md", ".hidden.yaml", ".git/c.yaml"]) {
    writeFileSync(join(directory, file), "x: 1");
  }
  const options = {
    directory,
    clock: new FakeClock(),
    onChange: () => undefined,
    onProblem: () => undefined,
  };
  assert.deepEqual(
    new ConfigDirectory(options).files.map((file) => file.name),
    ["a.yaml", "b.json", "team/z.yml"].map((file) => join(directory, file)),
  );
});

test("a change is seen by looking, where the file system reports nothing", async (t) => {
  const { directory, clock, watched, changes } = setUp(t);
  writeFileSync(join(directory, "b.yaml"), "b: 1");
  await clock.advance(2_000);
  assert.equal(changes(), 1);
  assert.equal(watched.files.length, 2);
  await clock.advance(10_000);
  assert.equal(changes(), 1, "an unchanged directory is no change");
});

test("a directory that goes away leaves its last content in force and is reported", async (t) => {
  const { directory, clock, watched, problems } = setUp(t);
  rmSync(directory, { recursive: true });
  await clock.advance(2_000);
  assert.equal(watched.files.length, 1);
  assert.ok(problems.some((problem) => problem.includes("its last content stays")));
});

test("a directory that is not there at the start is an error that names the flag", () => {
  assert.throws(
    () =>
      new ConfigDirectory({
        directory: "/nonexistent",
        clock: new FakeClock(),
        onChange: () => undefined,
        onProblem: () => undefined,
      }),
    (error) => error instanceof UserError && /--config \/nonexistent/.test(error.message),
  );
});
