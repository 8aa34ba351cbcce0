import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { UserError } from "@weft/base/errors";
import { type ContextFlags, chooseContext, readContexts, writeContexts } from "./contexts.ts";

function setUp(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "weft-contexts-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "deep", "config.json");
  writeContexts(
    {
      current: "prod",
      contexts: { prod: { server: "https://prod:1", tokenFile: "/t" }, test: { state: "/s" } },
    },
    file,
  );
  return file;
}

const chosen: readonly (readonly [string, ContextFlags, Record<string, string>, object])[] = [
  ["nothing said: the current one", {}, {}, { server: "https://prod:1", tokenFile: "/t" }],
  ["a name", { context: "test" }, {}, { state: "/s" }],
  ["this machine's by name", { context: "local" }, {}, {}],
  ["a state directory", { state: "/x" }, {}, { state: "/x" }],
  ["one of the environment", { state: "/x" }, { WEFT_STATE: "/x" }, { state: "/x" }],
  [
    "an environment that says nothing",
    { state: "" },
    { WEFT_STATE: "" },
    { server: "https://prod:1", tokenFile: "/t" },
  ],
  ["a name over the environment", { state: "/x", context: "test" }, { WEFT_STATE: "/x" }, { state: "/s" }],
  [
    "a server over the environment",
    { state: "/x", server: "https://a" },
    { WEFT_STATE: "/x" },
    { server: "https://a" },
  ],
  [
    "a state directory over the environment",
    { state: "/x", context: "prod" },
    { WEFT_CONTEXT: "prod" },
    { state: "/x" },
  ],
  [
    "the current one with another token",
    { tokenFile: "/other" },
    {},
    { server: "https://prod:1", tokenFile: "/other" },
  ],
];
for (const [what, flags, env, context] of chosen) {
  test(`commands speak to what is said: ${what}`, (t) => {
    assert.deepEqual(chooseContext(flags, setUp(t), env), context);
  });
}

const refused: readonly (readonly [string, ContextFlags, RegExp])[] = [
  ["a context that there is not", { context: "stage" }, /there is no context stage/],
  ["two control planes", { server: "https://a", state: "/x" }, /--server and --state/],
  ["a context and a server", { server: "https://a", context: "prod" }, /--context and --server/],
  ["a token without a server", { state: "/x", tokenFile: "/t" }, /are for a --server/],
  ["a key without its certificate", { server: "https://a", clientKey: "/k" }, /belongs to a --client-cert/],
];
for (const [what, flags, message] of refused) {
  test(`${what} is wrong usage with the next step`, (t) => {
    const file = setUp(t);
    assert.throws(
      () => chooseContext(flags, file, {}),
      (error) => error instanceof UserError && error.exitCode === 2 && message.test(error.message),
    );
  });
}

test("the file is its owner's alone, and one that is something else is refused", (t) => {
  const file = setUp(t);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  writeFileSync(file, '{"contexts":{"a":{"server":1}}}');
  assert.throws(() => readContexts(file), /is not what 'weft context' writes/);
});
