import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { TestCa } from "@weft/testkit/test-ca";
import { weftProgram } from "@weft/testkit/weft-program";

/** A control plane with `--api-listen`, and a command line that has none of its own. */
async function setUp(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "weft-cli-remote-"));
  const ca = new TestCa({ trustDomain: "ops.example" });
  const { keyPem, chainPem } = ca.leaf("ops", "walter");
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  file("ops.pem", ca.bundlePem);
  const users = file(
    "users.yaml",
    "certificates: { ca: ops.pem, roles: [{ role: write, names: ['spiffe://ops.example/ns/ops/*'] }] }\n",
  );
  const ports = ["--port", "0", "--plain-port", "0", "--http-port", "0", "--address", "127.0.0.1"];
  const state = join(directory, "state");
  const plane = spawn(
    weftProgram,
    ["control-plane", "--state", state, ...ports, "--api-listen", "127.0.0.1:0", "--api-users", users],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  t.after(async () => {
    plane.kill("SIGKILL");
    await once(plane, "close");
    rmSync(directory, { recursive: true, force: true });
  });
  let said = "";
  for await (const chunk of plane.stderr) {
    said += chunk;
    if (said.includes("control plane ready")) break;
  }
  const server = /https:\/\/127\.0\.0\.1:\d+/.exec(said)![0];
  const env = { ...process.env, WEFT_CONFIG: join(directory, "config.json"), WEFT_STATE: "" };
  const weft = async (...args: readonly string[]) => {
    const child = spawn(weftProgram, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk) => {
      stdout += chunk;
    });
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    const [code] = await once(child, "close");
    return { code, stdout, stderr };
  };
  return { server, state, weft, cert: file("walter.pem", `${chainPem}\n${keyPem}`), file };
}

test("a context makes every command speak to a control plane elsewhere, as who its certificate says", async (t) => {
  const { server, state, weft, cert, file } = await setUp(t);
  const roots = file("roots.pem", (await weft("ca", "status", "-o", "pem", "--state", state)).stdout);
  const untrusted = await weft("status", "--server", server, "--client-cert", cert);
  assert.equal(untrusted.code, 3);
  assert.match(untrusted.stderr, /authority that is not trusted here\n {2}next: .*--ca-file/);
  const added = await weft(
    "context",
    "add",
    "prod",
    "--server",
    server,
    "--ca-file",
    roots,
    "--client-cert",
    cert,
  );
  assert.equal(added.code, 0, added.stderr);
  assert.equal((await weft("context", "use", "prod")).code, 0);
  assert.match((await weft("context", "list")).stdout, /^\* +prod +https:/m);
  assert.equal(JSON.parse((await weft("status", "-o", "json")).stdout).trustDomain, "cluster.local");
  const yaml = file(
    "a.yaml",
    "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: a}\nspec: {hosts: [a.example], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}\n",
  );
  assert.equal((await weft("apply", "-f", yaml)).code, 0);
  assert.match((await weft("history")).stdout, /spiffe:\/\/ops\.example\/ns\/ops\/sa\/walter/);
  const refused = await weft("ca", "rotate");
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /has the role write, and rotateRoot needs admin\n {2}next: /);
  const audit = JSON.parse(
    (await weft("audit", "log", "--user", "walter", "-o", "json", "--state", state)).stdout,
  );
  assert.deepEqual(
    audit.map(({ event, revision }: { event: string; revision?: number }) => [event, revision]),
    [
      ["configuration changed", 1],
      ["refused", undefined],
    ],
  );
  const verified = await weft("audit", "verify", "--state", state);
  assert.match(verified.stderr, /\d+ entries are as they were written/);
  const again = await weft("audit", "verify", "--head", verified.stdout.trim(), "--state", state);
  assert.equal(again.code, 0, again.stderr);
  const otherHead = verified.stdout.trim().replace(/.$/, (last) => (last === "0" ? "1" : "0"));
  const other = await weft("audit", "verify", "--head", otherHead, "--state", state);
  assert.equal(other.code, 1);
  assert.match(other.stderr, /is not the one that was noted\n {2}next: /);
  const nobody = await weft("status", "--context", "local");
  assert.equal(nobody.code, 3, "this machine has none of its own");
  assert.equal((await weft("context", "delete", "prod")).code, 0);
  assert.equal((await weft("status", "--context", "prod")).code, 2);
});
