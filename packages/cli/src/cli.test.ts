import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { weftProgram } from "@weft/testkit/weft-program";
import { commandList } from "./command-list.ts";

interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the launcher as a user does, with a PATH whose `node` may be any version. */
function weft(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = spawn(weftProgram, args, {
      env: { ...process.env, WEFT_STATE: "/nonexistent", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk) => {
      stdout += chunk;
    });
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

test("the overview names every command and what exit codes mean", async () => {
  const { code, stdout } = await weft(["--help"]);
  assert.equal(code, 0);
  for (const { name, summary } of commandList) {
    assert.ok(stdout.includes(name) && stdout.includes(summary), `${name} is missing`);
  }
  assert.match(stdout, /Exit codes:/);
});

for (const { name } of commandList) {
  test(`weft ${name} --help has an example and goes to stdout`, async () => {
    const { code, stdout, stderr } = await weft([name, "--help"]);
    assert.equal(code, 0);
    assert.match(stdout, /Example:\n {2}\$ weft /);
    assert.equal(stderr, "");
  });
}

const refused: readonly (readonly [string, readonly string[], number, RegExp])[] = [
  [
    "an unknown command, with a guess",
    ["aply"],
    2,
    /weft: unknown command 'aply'\n\(Did you mean apply\?\)\n {2}next: weft --help\n$/,
  ],
  [
    "an unknown subcommand, with a guess",
    ["token", "creat"],
    2,
    /Did you mean create\?\)\n {2}next: weft token --help/,
  ],
  ["an unknown option, with a guess", ["apply", "-f", "x.yaml", "--dryrun"], 2, /Did you mean --dry-run\?/],
  ["apply without a file", ["apply"], 2, /required option '-f, --file <path>'/],
  [
    "a file that is not there",
    ["apply", "-f", "/nonexistent.yaml"],
    2,
    /-f \/nonexistent\.yaml: does not exist\n {2}next: /,
  ],
  ["an unknown kind", ["get", "pods"], 2, /there is no kind "pods"/],
  ["a wrong time", ["stat", "--window", "soon"], 2, /'--window <time>'.*30s/],
  [
    "a day without Prometheus",
    ["stat", "--window", "24h"],
    2,
    /remembers 2 minutes\n {2}next: .*--prometheus/,
  ],
  [
    "a Prometheus that is away",
    ["edges", "--prometheus", "http://reader:secret@127.0.0.1:997/at"],
    3,
    /Prometheus at http:\/\/127\.0\.0\.1:997\/at: .*ECONNREFUSED/,
  ],
  ["a wrong port", ["control-plane", "--port", "123456"], 2, /'--port <port>'.*1 to 65535/],
  ["a wrong protocol", ["run", "--name", "a", "--port", "1:smtp", "--", "true"], 2, /protocol "smtp"/],
  ["run without a name", ["run", "--", "true"], 2, /neither --name nor --workload-group/],
  ["a gateway with a name", ["run", "--gateway", "a", "--name", "b"], 2, /--name is for a program/],
  [
    "a gateway with a program",
    ["run", "--gateway", "a", "--", "true"],
    2,
    /true: a gateway has no application/,
  ],
  ["nothing to delete", ["delete"], 2, /KIND NAME, or -f FILE/],
  [
    "a control plane that is not there",
    ["status"],
    3,
    /no control plane answers on \/nonexistent\/api\.sock\n {2}next: start one/,
  ],
  ["proxy without a bootstrap", ["proxy"], 2, /weft: .*-c/],
  [
    "proxy with a bootstrap that is not there",
    ["proxy", "-c", "/nonexistent.yaml"],
    1,
    /weft: .*\/nonexistent\.yaml/,
  ],
  ["a number that is none", ["proxy", "-c", "x", "--concurrency", "many"], 2, /--concurrency many: is not/],
  ["proxy with an unknown option", ["proxy", "--config", "x"], 2, /weft: .*--config/],
];
for (const [name, args, code, message] of refused) {
  test(`refuses ${name}`, async () => {
    const result = await weft(args);
    assert.match(result.stderr, message);
    assert.equal(result.code, code);
    assert.equal(result.stdout, "", "stdout is for data");
  });
}

test("version is one line, or JSON", async () => {
  const { version } = (await import("../package.json", { with: { type: "json" } })).default;
  assert.ok((await weft(["version"])).stdout.startsWith(`weft ${version} (node v`));
  assert.equal(JSON.parse((await weft(["version", "-o", "json"])).stdout).weft, version);
  assert.equal((await weft(["--version"])).stdout, `${version}\n`);
});

test("check looks at the machine alone with --pre, and fails without a control plane otherwise", async () => {
  const pre = await weft(["check", "--pre", "-o", "json"]);
  assert.equal(pre.code, 0);
  const results: { title: string; outcome: string }[] = JSON.parse(pre.stdout).results;
  assert.ok(results.some((result) => result.title === "Node" && result.outcome === "ok"));
  const all = await weft(["check"]);
  assert.equal(all.code, 1);
  assert.match(all.stdout, /✗ reachable: no control plane answers/);
  assert.match(all.stdout, / {4}next: start one with 'weft control-plane'/);
});

test("a pipe that closes early is no error", async () => {
  const { code, stderr } = await new Promise<Result>((resolve) => {
    const script = `"${weftProgram}" --help | true`;
    const child = spawn("sh", ["-c", script], { stdio: ["ignore", "ignore", "pipe"] });
    let text = "";
    child.stderr.on("data", (chunk) => {
      text += chunk;
    });
    child.on("close", (exitCode) => resolve({ code: exitCode, stdout: "", stderr: text }));
  });
  assert.equal(code, 0);
  assert.equal(stderr, "");
});

test("a directory of files that are no YAML is named", async () => {
  const directory = mkdtempSync(join(tmpdir(), "weft-cli-"));
  try {
    writeFileSync(join(directory, "notes.txt"), "no yaml");
    const { code, stderr } = await weft(["apply", "-f", directory]);
    assert.equal(code, 2);
    assert.match(stderr, /holds no \.yaml, \.yml or \.json file/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
