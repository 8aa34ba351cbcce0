import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "@weft/base/clock";
import { resolveCommand, startApplication, upstreamEnvironment } from "./application.ts";
import { buildLaunch, findExecutable } from "./launch.ts";

function start(script: string) {
  return startApplication({
    command: [process.execPath, "-e", script],
    user: undefined,
    env: {},
    setpriv: findExecutable("setpriv"),
    clock: systemClock,
  });
}

test("the application's exit code is passed on", async () => {
  assert.equal(await start("process.exit(7)").exited, 7);
});

test("a signal that ends it becomes 128 and its number", async () => {
  const app = start("setInterval(() => {}, 1000)");
  assert.equal(await app.stop("SIGTERM", 30_000), 143);
});

test("one that ignores its end is ended by force", async () => {
  const folder = mkdtempSync(join(tmpdir(), "weft-app-"));
  const mark = join(folder, "listening");
  const app = start(
    `process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); require("fs").writeFileSync("${mark}", "")`,
  );
  while (!existsSync(mark)) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(await app.stop("SIGTERM", 300), 137);
  rmSync(folder, { recursive: true });
});

test("an unknown program is told as a shell tells it", () => {
  assert.throws(() => resolveCommand(["no-such-program"], "/bin"), { name: "UserError", exitCode: 127 });
  assert.deepEqual(resolveCommand(["sh", "-c", "true"], "/bin"), ["/bin/sh", "-c", "true"]);
});

test("upstreams are told in the form of Kubernetes' services, the first of a name being its default", () => {
  const upstream = { bindAddress: "127.0.0.1" };
  assert.deepEqual(
    upstreamEnvironment([
      { ...upstream, host: "user-db.prod.svc.cluster.local", port: 5432, bindPort: 20000 },
      { ...upstream, host: "user-db", port: 9187, bindPort: 20001 },
    ]),
    {
      USER_DB_SERVICE_HOST: "127.0.0.1",
      USER_DB_SERVICE_PORT: "20000",
      USER_DB_PORT_5432_TCP_ADDR: "127.0.0.1",
      USER_DB_PORT_5432_TCP_PORT: "20000",
      USER_DB_PORT_9187_TCP_ADDR: "127.0.0.1",
      USER_DB_PORT_9187_TCP_PORT: "20001",
    },
  );
});

const ids = { uid: 1337, gid: 1337 };
const launches: readonly [
  why: string,
  actual: ReturnType<typeof buildLaunch>,
  expected: ReturnType<typeof buildLaunch>,
][] = [
  [
    "setpriv sets ids and the signal that follows the agent's death",
    buildLaunch(["/bin/x", "-a"], ids, "SIGKILL", "/usr/bin/setpriv"),
    {
      file: "/usr/bin/setpriv",
      args: ["--reuid=1337", "--regid=1337", "--clear-groups", "--pdeathsig=KILL", "--", "/bin/x", "-a"],
      options: {},
    },
  ],
  [
    "what a user may do beside its own is granted",
    buildLaunch(["/bin/x"], { ...ids, granted: ["net_bind_service"] }, "SIGKILL", "/setpriv"),
    {
      file: "/setpriv",
      args: [
        "--reuid=1337",
        "--regid=1337",
        "--clear-groups",
        "--inh-caps=+net_bind_service",
        "--ambient-caps=+net_bind_service",
        "--pdeathsig=KILL",
        "--",
        "/bin/x",
      ],
      options: {},
    },
  ],
  [
    "capabilities are limited to those named",
    buildLaunch(["/bin/x"], { uid: 0, gid: 1337, capabilities: ["dac_read_search"] }, "SIGKILL", "/setpriv"),
    {
      file: "/setpriv",
      args: [
        "--reuid=0",
        "--regid=1337",
        "--init-groups",
        "--bounding-set=-all,+dac_read_search",
        "--pdeathsig=KILL",
        "--",
        "/bin/x",
      ],
      options: {},
    },
  ],
  [
    "without setpriv Node sets the ids",
    buildLaunch(["/bin/x"], ids, "SIGTERM", undefined),
    { file: "/bin/x", args: [], options: ids },
  ],
  [
    "without root nothing is changed",
    buildLaunch(["/bin/x"], undefined, "SIGTERM", undefined),
    { file: "/bin/x", args: [], options: {} },
  ],
];
for (const [why, actual, expected] of launches) {
  test(`a launch: ${why}`, () => assert.deepEqual(actual, expected));
}
