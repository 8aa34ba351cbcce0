import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "@weft/base/clock";
import { Sidecar, type SidecarOptions } from "./sidecar.ts";

/** A sidecar is any program; this one lives until it is told to end. */
function sidecar(script: string, said: string[], options: Partial<SidecarOptions> = {}): Sidecar {
  return new Sidecar({
    launch: () => ({ file: process.execPath, args: ["-e", script], options: {} }),
    admin: { address: "127.0.0.1", port: 1 },
    stdio: "ignore",
    env: () => ({}),
    clock: systemClock,
    talk: (line) => said.push(line),
    random: () => 0.99,
    ...options,
  });
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 10));
}

const forever = "setInterval(() => {}, 1000)";

test("a sidecar that is killed comes back, and one that is stopped does not", async () => {
  const said: string[] = [];
  const proxy = sidecar(forever, said);
  proxy.start();
  const first = proxy.pid!;
  process.kill(first, "SIGKILL");
  await until(() => proxy.restarts === 1 && proxy.pid !== undefined);
  assert.notEqual(proxy.pid, first);
  assert.match(said[0]!, /sidecar was ended by SIGKILL; starting it again/);
  const second = proxy.pid!;
  await proxy.stop(30_000);
  assert.equal(proxy.pid, undefined);
  assert.throws(() => process.kill(second, 0), { code: "ESRCH" });
  assert.equal(said.length, 1);
});

test("one that can't be started at all is tried again and can be given up", async () => {
  const said: string[] = [];
  const proxy = sidecar("", said, {
    launch: () => ({ file: "/no/such/program", args: [], options: {} }),
  });
  proxy.start();
  await until(() => said.length >= 2);
  assert.match(said[0]!, /sidecar could not be started: .*ENOENT/);
  await proxy.stop(1_000);
});

test("one that does not hear SIGTERM is ended by force", async () => {
  const folder = mkdtempSync(join(tmpdir(), "weft-sidecar-"));
  const mark = join(folder, "listening");
  const deaf = `process.on("SIGTERM", () => {}); require("fs").writeFileSync("${mark}", ""); ${forever}`;
  const proxy = sidecar(deaf, []);
  proxy.start();
  const pid = proxy.pid!;
  await until(() => existsSync(mark));
  await proxy.stop(300);
  rmSync(folder, { recursive: true });
  assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
});

test("ready waits for 200, and an aborted wait ends", async () => {
  const answers = [503, 503, 200];
  const admin = createServer((_request, response) => {
    response.statusCode = answers.shift() ?? 200;
    response.end();
  }).listen(0, "127.0.0.1");
  await once(admin, "listening");
  const { port } = admin.address() as AddressInfo;
  const proxy = sidecar(forever, [], { admin: { address: "127.0.0.1", port } });
  await proxy.ready(new AbortController().signal);
  assert.deepEqual(answers, []);
  admin.close();

  const stop = new AbortController();
  const waiting = sidecar(forever, []).ready(stop.signal);
  stop.abort(new Error("stopped"));
  await assert.rejects(waiting, /stopped/);
});
