import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { FakeAds } from "@weft/testkit/fake-ads";
import { cluster, endpoints, listener, routes, startSidecar } from "./test-sidecar.ts";

const directory = mkdtempSync(join(tmpdir(), "weft-kept-config-"));
const upstreams = new Map<string, Server>();

before(async () => {
  for (const name of ["first", "second"]) {
    const server = createServer((_, response) => response.end(name)).listen(0, "127.0.0.1");
    await once(server, "listening");
    upstreams.set(name, server);
  }
});
after(() => {
  for (const server of upstreams.values()) server.close();
  rmSync(directory, { recursive: true });
});

const portOf = (name: string) => (upstreams.get(name)!.address() as AddressInfo).port;

async function get(port: number): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } })).text();
}

for (const mode of ["GRPC", "DELTA_GRPC"] as const) {
  test(`a restart while the server is away serves what was accepted, and follows the server when it is back (${mode})`, async () => {
    const keptConfigPath = join(directory, mode);
    const first = await startSidecar(mode, { keptConfigPath });
    const { ads } = first;
    ads.push({
      clusters: [cluster("a"), cluster("gone")],
      endpoints: [endpoints("a", portOf("first")), endpoints("gone", 1)],
      listeners: [listener("web"), listener("gone")],
      routes: [routes("r", "a")],
    });
    await first.ready();
    assert.equal((await first.admin("/ready")).text, "LIVE\n");
    await first.sidecar.close();
    await ads.close();

    const second = await startSidecar(mode, { ads, keptConfigPath });
    await second.ready();
    assert.equal(await get(await second.portOf("web")), "first");
    assert.match(
      (await second.admin("/ready")).text,
      /^LIVE\nconfiguration of \d{4}-.*Z, kept on disk: the management server does not answer\n$/,
    );
    assert.match((await second.admin("/stats/prometheus")).text, /^weft_kept_config_in_force 1$/m);
    assert.match(second.log.join(""), /does not answer: serving the configuration of/);

    const back = await FakeAds.start({ host: "127.0.0.1", port: ads.port });
    try {
      back.push({
        clusters: [cluster("a")],
        endpoints: [endpoints("a", portOf("second"))],
        listeners: [listener("web")],
        routes: [routes("r", "a")],
      });
      await back.settled();
      assert.equal(await get(await second.portOf("web")), "second");
      assert.equal((await second.admin("/ready")).text, "LIVE\n");
      assert.match((await second.admin("/stats/prometheus")).text, /^weft_kept_config_in_force 0$/m);
      assert.doesNotMatch((await second.admin("/listeners")).text, /gone/, "removed while we were away");
      assert.doesNotMatch((await second.admin("/clusters")).text, /gone/);
    } finally {
      await second.sidecar.close();
      await back.close();
    }
  });
}

test("a server that answers is believed, not the disk", async () => {
  const keptConfigPath = join(directory, "believed");
  const first = await startSidecar("DELTA_GRPC", { keptConfigPath });
  first.ads.push({
    clusters: [cluster("a")],
    endpoints: [endpoints("a", portOf("first"))],
    listeners: [listener("old")],
    routes: [routes("r", "a")],
  });
  await first.ready();
  await first.sidecar.close();
  first.ads.push({ listeners: [listener("new")] });
  const second = await startSidecar("DELTA_GRPC", { ads: first.ads, keptConfigPath });
  await second.ready();
  assert.match((await second.admin("/listeners")).text, /^new::/);
  assert.doesNotMatch(second.log.join(""), /kept/);
  await second.stop();
});

test("a damaged file is ignored with one line, and the proxy waits for its server", async () => {
  const keptConfigPath = join(directory, "damaged");
  const first = await startSidecar("DELTA_GRPC", { keptConfigPath });
  first.ads.push({ clusters: [], listeners: [listener("web")], routes: [routes("r", "a")] });
  await first.ready();
  await first.sidecar.close();
  await first.ads.close();
  writeFileSync(keptConfigPath, readFileSync(keptConfigPath, "utf8").slice(0, -10));
  const second = await startSidecar("DELTA_GRPC", { ads: first.ads, keptConfigPath });
  while (!/is not used/.test(second.log.join(""))) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(await second.admin("/ready"), { status: 503, text: "INITIALIZING\n" });
  await second.sidecar.close();
});
