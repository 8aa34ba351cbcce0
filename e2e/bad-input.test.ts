/**
 * Bad input, as a person gives it to the real command: each ends with a
 * non-zero exit, one clear error with its place and a next step, and leaves the
 * running mesh as it was.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { CommandResult } from "../packages/cli/src/demo/command.ts";
import { freePort } from "../packages/testkit/src/free-port.ts";
import { badFiles, routing, rules } from "./bad-input/bad-files.ts";
import { misuses } from "./bad-input/misuses.ts";
import { proxyMisuses } from "./bad-input/proxy-misuses.ts";
import { Scene, skipAsNobody } from "./bad-input/scene.ts";

let scene: Scene;
/** What the mesh is before any mistake. */
let asItWas: string;
/** A workload whose control plane never answers; it gives up while the other cases run. */
let abandoned: Promise<CommandResult>;

before(async () => {
  scene = await Scene.start();
  const lost = ["--token", await scene.token("late"), "--control-plane", `127.0.0.1:${await freePort()}`];
  abandoned = scene.weft(scene.run([...lost, "--address", scene.mesh.addressOf(8)]));
  const { code, stderr } = await scene.weft([
    "apply",
    "-f",
    scene.inFile("mesh.yaml", `${rules}---\n${routing}`),
  ]);
  assert.equal(code, 0, stderr);
  asItWas = await scene.snapshot();
});
after(() => scene.close());

async function assertUnchanged(): Promise<void> {
  assert.equal(await scene.snapshot(), asItWas, "what was running is as it was");
}

/** The one error and its next step. Notices are not errors; anything else is one too many. */
function theError({ stderr }: CommandResult): { readonly says: string; readonly next: string } {
  const notices =
    /^(weft: no interception .*|weft: waiting for the control plane: .*|\{"level":30.*|.*: (warning|info) \S+: .*)\n/gm;
  const match = /^weft: ([\s\S]*?)\n {2}next: (.*)\n$/.exec(stderr.replace(notices, ""));
  assert.ok(match, `not one error with a next step: ${stderr}`);
  assert.doesNotMatch(match[1]!, /\n\s+at |\nweft: |\n\[|node:|fault in weft/, "one error, and no stack");
  return { says: match[1]!, next: match[2]! };
}

for (const { name, files, place, says } of badFiles) {
  test(`apply refuses ${name}`, async () => {
    for (const [file, text] of Object.entries(files)) scene.inFile(file, text);
    const result = await scene.weft(["apply", ...Object.keys(files).flatMap((file) => ["-f", file])]);
    assert.equal(result.code, 1, result.stderr);
    assert.equal(result.stdout, "");
    const errors = result.stderr.split("\n").filter((line) => / error [A-Z]+\d+: /.test(line));
    assert.equal(errors.length, 1, result.stderr);
    assert.ok(errors[0]!.startsWith(`${place}: error `), errors[0]);
    assert.ok(errors[0]!.includes(`: ${says}`), errors[0]);
    const rest = { ...result, stderr: result.stderr.replace(`${errors[0]}\n`, "") };
    assert.deepEqual(theError(rest), {
      says: "nothing was applied: 1 error",
      next: "correct the places above and apply again; the mesh runs on as it was",
    });
    await assertUnchanged();
  });
}

for (const misuse of [...misuses, ...proxyMisuses]) {
  const { skip = misuse.prefix ? skipAsNobody : false } = misuse;
  test(`weft refuses ${misuse.name}`, { skip }, async () => {
    const result = await scene.weft(await misuse.args(scene), {
      prefix: misuse.prefix,
      env: misuse.env?.(scene),
    });
    const { says, next } = theError(result);
    assert.match(says, misuse.says);
    assert.match(next, misuse.next);
    assert.equal(result.code, misuse.code);
    assert.equal(result.stdout, "", "stdout is for data");
    await assertUnchanged();
  });
}

test("a workload without a control plane says that it waits, and then why it gives up", async () => {
  const result = await abandoned;
  assert.equal(result.code, 1);
  assert.equal(result.stderr.match(/waiting for the control plane/g)?.length, 1, result.stderr);
  const { says, next } = theError(result);
  assert.match(says, /^no certificate from the control plane: 127\.0\.0\.1:\d+: connection refused$/);
  assert.match(next, /weft control-plane.*--control-plane HOST:PORT/);
});

test("a control plane that is killed is missed once and welcomed back once, and calls go on", async () => {
  const lost = [
    /weft: no connection to the control plane \((.*)\)/g,
    /\[warning\] ADS: not connected: (.*)/g,
  ];
  const back = [/weft: the control plane is back/g, /\[warning\] ADS: connected again/g];
  const told = (patterns: readonly RegExp[]) =>
    patterns.map((pattern) => [...scene.mesh.saidBy("web").matchAll(pattern)].length);
  await scene.mesh.killControlPlane();
  await scene.mesh.until("the loss is told", () => told(lost).every((count) => count > 0));
  assert.equal(await scene.answer(), "200 web");
  await scene.mesh.startControlPlane();
  await scene.mesh.until("the return is told", () => told(back).every((count) => count > 0));
  assert.deepEqual(told(lost), [1, 1], scene.mesh.saidBy("web"));
  assert.deepEqual(told(back), [1, 1], scene.mesh.saidBy("web"));
  for (const [, why] of scene.mesh.saidBy("web").matchAll(lost[0]!)) {
    assert.ok(why!.split(scene.mesh.controlPlane).length <= 2, `the address once at most: ${why}`);
  }
  await assertUnchanged();
});
