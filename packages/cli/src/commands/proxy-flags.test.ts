import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { until } from "@weft/testkit/until";
import { weftProgram } from "@weft/testkit/weft-program";

const directory = mkdtempSync(join(tmpdir(), "weft-flags-"));
after(() => rmSync(directory, { recursive: true, force: true }));

const admin = "admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } } }";

test("Envoy's flags: an inline bootstrap merged into the file, the node, where the admin endpoint is, a log that is rotated", async () => {
  const [file, log, address] = ["bootstrap.yaml", "log", "address"].map((name) => join(directory, name));
  writeFileSync(file!, "node: { id: file, cluster: file, metadata: { kept: yes } }\n");
  const flags = ["-c", file!, "--config-yaml", admin, "--service-node", "n", "--service-zone", "z"];
  const places = ["--log-path", log!, "--admin-address-path", address!, "--disable-hot-restart"];
  const child = spawn(weftProgram, ["proxy", ...flags, ...places], { stdio: "ignore" });
  after(() => child.kill("SIGKILL"));
  const said = (path: string, pattern: RegExp) => () =>
    existsSync(path) && pattern.test(readFileSync(path, "utf8"));
  await until("start", said(log!, /serving/));
  const info = await (await fetch(`http://${readFileSync(address!, "utf8")}/server_info`)).json();
  const { node, command_line_options: options } = info as Record<string, Record<string, unknown>>;
  assert.deepEqual(node, { id: "n", cluster: "file", metadata: { kept: "yes" }, locality: { zone: "z" } });
  assert.deepEqual(
    [options!["config_yaml"], options!["drain_time"], options!["disable_hot_restart"]],
    [admin, "600s", true],
  );
  renameSync(log!, `${log}.1`);
  child.kill("SIGUSR1");
  await until("new log", said(log!, /^/));
  child.kill("SIGUSR2");
  await until("refusal", said(log!, /SIGUSR2: hot restart is disabled/));
  child.kill("SIGTERM");
  const [code] = await once(child, "exit");
  assert.equal(code, 0);
});

for (const [flags, problem] of [
  [
    ["--component-log-level", "misc:error"],
    /^weft: --component-log-level is not taken: the log has no components/,
  ],
  [
    ["--restart-epoch=1"],
    /^weft: --restart-epoch is not taken: nothing is shared between processes; SIGUSR2/,
  ],
  [["--config-yaml", "nodes: 1", "--mode", "validate"], /^weft: --config-yaml:1:1: .*nodes/],
  [["--mode", "validate"], /^weft: proxy needs a bootstrap/],
] as const) {
  test(`weft proxy ${flags.join(" ")} says what is wrong`, () => {
    const { stderr, status } = spawnSync(weftProgram, ["proxy", ...flags], { encoding: "utf8" });
    assert.match(stderr, problem);
    assert.notEqual(status, 0);
  });
}
