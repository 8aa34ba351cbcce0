/** A cluster of a name follows what a real name server answers through the system's resolver. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { freePort } from "../packages/testkit/src/free-port.ts";
import { loopbackNetwork } from "../packages/testkit/src/loopback-network.ts";
import { until } from "../packages/testkit/src/until.ts";
import { weftProgram } from "../packages/testkit/src/weft-program.ts";
import { dnsAnswer } from "./name-server.ts";

const network = await loopbackNetwork();
const [nameServer, first, second] = [`${network}.53`, `${network}.1`, `${network}.2`] as const;

const bootstrap = (port: number, appPort: number) => `
static_resources:
  listeners:
    - address: { socket_address: { address: 127.0.0.1, port_value: ${port} } }
      filter_chains:
        - filters:
            - name: http
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: http
                route_config:
                  virtual_hosts:
                    - { name: all, domains: ["*"], routes: [{ match: { prefix: / }, route: { cluster: named } }] }
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  clusters:
    - name: named
      type: STRICT_DNS
      dns_lookup_family: V4_ONLY
      dns_refresh_rate: 0.2s
      load_assignment:
        cluster_name: named
        endpoints:
          - lb_endpoints:
              - endpoint: { address: { socket_address: { address: api.weft.test, port_value: ${appPort} } } }
`;

test("requests follow the addresses that DNS answers", {
  skip:
    process.platform === "linux" && process.getuid?.() === 0
      ? false
      : "needs root, for a resolv.conf of its own",
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "weft-dns-"));
  t.after(() => rmSync(folder, { recursive: true }));
  let addresses: readonly string[] = [first];
  const names = createSocket("udp4", (query, { address, port }) =>
    names.send(
      dnsAnswer(query, () => addresses),
      port,
      address,
    ),
  );
  names.bind(53, nameServer);
  await once(names, "listening");
  t.after(() => names.close());
  const [port, appPort] = [await freePort(), await freePort()];
  for (const address of [first, second]) {
    const app = createServer((_, response) => response.end(address)).listen(appPort, address);
    await once(app, "listening");
    t.after(() => {
      app.closeAllConnections();
      app.close();
    });
  }
  const [config, resolver] = [join(folder, "proxy.yaml"), join(folder, "resolv.conf")];
  writeFileSync(config, bootstrap(port, appPort));
  writeFileSync(resolver, `nameserver ${nameServer}\n`);
  const script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"';
  const args = ["--mount", "sh", "-c", script, resolver, weftProgram, "proxy", "-c", config];
  const proxy = spawn("unshare", args, { stdio: "ignore" });
  t.after(async () => {
    const ended = once(proxy, "exit");
    if (proxy.kill("SIGKILL")) await ended;
  });
  const served = async () => {
    const response = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined);
    return response?.ok ? response.text() : undefined;
  };
  const servedBy = (wanted: string) => until(`served by ${wanted}`, async () => (await served()) === wanted);
  await servedBy(first);
  addresses = [second];
  await servedBy(second);
  for (let i = 0; i < 5; i++) assert.equal(await served(), second);
  addresses = [first, second];
  await servedBy(first);
  await servedBy(second);
});
