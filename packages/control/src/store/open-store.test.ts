import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { UserError } from "@weft/base/errors";
import { parseTrustDomain } from "@weft/identity/spiffe-id";
import { FakeClock } from "@weft/testkit/fake-clock";
import { openStore } from "./open-store.ts";

const trustDomain = parseTrustDomain("cluster.local");
const clock = new FakeClock();

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "weft-store-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return join(path, "state");
}

test("nobody but the owner can read the state", (t) => {
  const path = directory(t);
  const store = openStore({ directory: path, trustDomain, clock });
  store.resources.put([]);
  assert.equal(statSync(path).mode & 0o777, 0o700);
  for (const file of readdirSync(path)) assert.equal(statSync(join(path, file)).mode & 0o077, 0, file);
  store.close();
});

test("a directory others can read is refused unless it is empty and so can be closed", (t) => {
  const path = directory(t);
  mkdirSync(path);
  chmodSync(path, 0o755);
  openStore({ directory: path, trustDomain, clock }).close();
  assert.equal(statSync(path).mode & 0o777, 0o700);
  chmodSync(path, 0o755);
  assertUserError(() => openStore({ directory: path, trustDomain, clock }), /mode 755/, /chmod 700/);
});

test("the state of another trust domain is refused by both names", (t) => {
  const path = directory(t);
  openStore({ directory: path, trustDomain, clock }).close();
  const other = parseTrustDomain("prod.example");
  assertUserError(
    () => openStore({ directory: path, trustDomain: other, clock }),
    /belongs to trust domain cluster\.local, not prod\.example/,
    /--trust-domain cluster\.local/,
  );
  openStore({ directory: path, trustDomain, clock }).close();
});

test("a second control plane is told which process has the state, also when it is another one's", async (t) => {
  const path = directory(t);
  const store = openStore({ directory: path, trustDomain, clock });
  assertUserError(
    () => openStore({ directory: path, trustDomain, clock }),
    new RegExp(`pid ${process.pid}`),
    /--state/,
  );
  store.close();

  const script = `
    import { openStateDirectory } from ${JSON.stringify(import.meta.resolve("./state-directory.ts"))};
    globalThis.held = openStateDirectory(${JSON.stringify(path)});
    process.stdout.write("open");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--no-warnings", "--input-type=module", "-e", script]);
  t.after(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  assertUserError(
    () => openStore({ directory: path, trustDomain, clock }),
    new RegExp(`pid ${child.pid}\\)`),
    /--state/,
  );
  child.kill("SIGKILL");
  await once(child, "exit");
  openStore({ directory: path, trustDomain, clock }).close();
});

test("a database that is broken or of a newer Weft is refused with its path, and the lock is free again", (t) => {
  const path = directory(t);
  openStore({ directory: path, trustDomain, clock }).close();
  const newer = new DatabaseSync(join(path, "weft.db"));
  newer.exec("PRAGMA user_version = 1000");
  newer.close();
  assertUserError(
    () => openStore({ directory: path, trustDomain, clock }),
    /weft\.db .*newer version/,
    /start that version/,
  );
  writeFileSync(join(path, "weft.db"), "not a database".repeat(100));
  assertUserError(
    () => openStore({ directory: path, trustDomain, clock }),
    /weft\.db cannot be used/,
    /backup/,
  );
  rmSync(join(path, "weft.db"));
  openStore({ directory: path, trustDomain, clock }).close();
});

test("a path that cannot be a directory is refused with the flag to change", (t) => {
  const path = directory(t);
  writeFileSync(path, "");
  assertUserError(() => openStore({ directory: path, trustDomain, clock }), /cannot be used/, /--state/);
});

test("virtual addresses and roots are there again after a restart", (t) => {
  const path = directory(t);
  const first = openStore({ directory: path, trustDomain, clock });
  first.addresses.add(new Map([["reviews.default.svc.cluster.local", "240.240.0.7"]]));
  assert.throws(() =>
    first.addresses.add(
      new Map([
        ["new", "240.240.0.8"],
        ["other", "240.240.0.7"],
      ]),
    ),
  );
  first.roots.change({
    add: { certificatePem: "c", privateKeyPem: "k", state: "issuing", createdAtMs: 1, crossPem: "x" },
    begin: { fromPem: "c", toPem: "d" },
    step: { phase: "prepare", atMs: 5 },
  });
  first.close();
  const second = openStore({ directory: path, trustDomain, clock });
  t.after(() => second.close());
  assert.deepEqual([...second.addresses.load()], [["reviews.default.svc.cluster.local", "240.240.0.7"]]);
  assert.deepEqual(second.roots.list(), [
    { certificatePem: "c", privateKeyPem: "k", state: "issuing", createdAtMs: 1, crossPem: "x" },
  ]);
});

function assertUserError(run: () => unknown, message: RegExp, hint: RegExp): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof UserError, String(error));
    assert.match(error.message, message);
    assert.match(error.hint ?? "", hint);
    return true;
  });
}

test("the key of a root that retires is destroyed, on the disk too", (t) => {
  const path = directory(t);
  const store = openStore({ directory: path, trustDomain, clock });
  t.after(() => store.close());
  const secret = `key ${"k".repeat(300)}`;
  const root = { createdAtMs: 1, crossPem: "" };
  store.roots.change({ add: { ...root, certificatePem: "old", privateKeyPem: secret, state: "issuing" } });
  store.roots.change({ add: { ...root, certificatePem: "new", privateKeyPem: "n", state: "waiting" } });
  const isOnDisk = () =>
    ["weft.db", "weft.db-wal"].some((file) => readFileSync(join(path, file)).includes("k".repeat(300)));
  assert.ok(isOnDisk());
  store.roots.change({
    states: new Map([
      ["old", "retired"],
      ["new", "issuing"],
    ]),
  });
  assert.deepEqual(
    store.roots.list().map(({ privateKeyPem, state }) => [privateKeyPem, state]),
    [
      ["", "retired"],
      ["n", "issuing"],
    ],
  );
  assert.ok(!isOnDisk());
});
