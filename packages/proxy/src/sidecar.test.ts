import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { request } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { TLSSocket } from "node:tls";
import { fromJson } from "@bufbuild/protobuf";
import { TestCa } from "@weft/testkit/test-ca";
import { until } from "@weft/testkit/until";
import { SecretSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb";
import { runProxy } from "./main.ts";
import { cluster, endpoints, listener, routes, startSidecar } from "./test-sidecar.ts";

const directory = mkdtempSync(join(tmpdir(), "weft-sidecar-"));
let upstream: Server;
let otherUpstream: Server;

before(async () => {
  upstream = await echo("first");
  otherUpstream = await echo("second");
});

after(() => {
  upstream.close();
  otherUpstream.close();
  rmSync(directory, { recursive: true });
});

async function echo(name: string): Promise<Server> {
  const server = createServer((_, response) => response.end(name));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;

async function get(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/`);
  return `${response.status} ${await response.text()}`;
}

for (const mode of ["GRPC", "DELTA_GRPC"] as const) {
  test(`a sidecar serves what ADS gives it, follows changes, and keeps the last good version (${mode})`, async () => {
    const { ads, admin, portOf: listenerPort, ready, stop } = await startSidecar(mode);
    try {
      assert.deepEqual(await admin("/ready"), { status: 503, text: "INITIALIZING\n" });
      ads.push({
        clusters: [cluster("a")],
        endpoints: [endpoints("a", portOf(upstream))],
        listeners: [listener("web")],
        routes: [routes("r", "a")],
      });
      await ads.expectAck("CDS");
      await ads.expectAck("EDS");
      await ads.expectAck("LDS");
      await ads.expectAck("RDS");
      await ready();
      const port = await listenerPort("web");
      assert.equal(await get(port), "200 first");

      ads.push({ endpoints: [endpoints("a", portOf(otherUpstream))] });
      await ads.expectAck("EDS");
      assert.equal(await get(port), "200 second");

      ads.push({ endpoints: [endpoints("a", 1, "not-an-address")] });
      assert.match(
        await ads.expectNack("EDS"),
        /^endpoints 'a': endpoints\[0\]\.lb_endpoints\[0\]\.endpoint\.address\.socket_address\.address: "not-an-address" is not an IP address/,
      );
      assert.equal(await get(port), "200 second", "keeps the last good endpoints");

      ads.push({
        endpoints: [endpoints("a", portOf(otherUpstream))],
        listeners: [listener("web", undefined, "")],
      });
      assert.match(await ads.expectNack("LDS"), /^listener 'web': .*stat_prefix: is empty/);
      assert.equal(await get(port), "200 second", "keeps the last good listener");

      ads.push({
        clusters: [cluster("a"), cluster("b")],
        endpoints: [endpoints("a", portOf(otherUpstream)), endpoints("b", portOf(upstream))],
        listeners: [listener("web")],
        routes: [routes("r", "b")],
      });
      await ads.expectAck("RDS");
      assert.equal(await get(port), "200 first", "the new route leads to the new cluster, which is warm");

      const { text } = await admin("/config_dump?include_eds");
      const dump = JSON.parse(text) as { configs: { "@type": string }[] };
      assert.deepEqual(
        dump.configs.map((config) => config["@type"].split(".").at(-1)),
        [
          "BootstrapConfigDump",
          "ClustersConfigDump",
          "EndpointsConfigDump",
          "ListenersConfigDump",
          "RoutesConfigDump",
          "SecretsConfigDump",
        ],
      );
      assert.match((await admin("/clusters")).text, /^b::added_via_api::true$/m);
    } finally {
      await stop();
    }
  });
}

test("configuration stays in force while the ADS server is away", async () => {
  const { ads, portOf: listenerPort, ready, stop } = await startSidecar("DELTA_GRPC");
  try {
    ads.push({
      clusters: [cluster("a")],
      endpoints: [endpoints("a", portOf(upstream))],
      listeners: [listener("web")],
      routes: [routes("r", "a")],
    });
    await ready();
    const port = await listenerPort("web");
    ads.disconnect();
    assert.equal(await get(port), "200 first");
    await ads.connected();
    ads.push({ endpoints: [endpoints("a", portOf(otherUpstream))] });
    await ads.settled();
    assert.equal(await get(port), "200 second");
  } finally {
    await stop();
  }
});

test("a listener waits for its secret, and a rotated one serves the next handshake", async () => {
  const { ads, admin, portOf: listenerPort, ready, stop } = await startSidecar("DELTA_GRPC");
  try {
    const ca = new TestCa();
    const secret = () => {
      const svid = ca.leaf("default", "web", { dnsNames: ["web.test"] });
      return fromJson(SecretSchema, {
        name: "web",
        tlsCertificate: {
          certificateChain: { inlineString: svid.chainPem },
          privateKey: { inlineString: svid.keyPem },
        },
      });
    };
    const tlsListener = listener("web", {
      name: "tls",
      typedConfig: {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        commonTlsContext: { tlsCertificateSdsSecretConfigs: [{ name: "web", sdsConfig: { ads: {} } }] },
      },
    });
    ads.push({
      clusters: [cluster("a")],
      endpoints: [endpoints("a", portOf(upstream))],
      listeners: [tlsListener],
      routes: [routes("r", "a")],
    });
    await ads.expectAck("RDS");
    await ads.expectAck("SDS");
    assert.equal((await admin("/listeners")).text, "", "the server has no such secret: no listener");
    ads.push({ secrets: [secret()] });
    await ads.expectAck("SDS");
    await ready();
    const port = await listenerPort("web");
    const first = await serialOf(port, ca.bundlePem);
    assert.equal(await serialOf(port, ca.bundlePem), first);

    ads.push({ secrets: [secret()] });
    await ads.expectAck("SDS");
    assert.notEqual(await serialOf(port, ca.bundlePem), first);

    const broken = fromJson(SecretSchema, {
      name: "web",
      tlsCertificate: { certificateChain: { inlineString: "x" }, privateKey: { inlineString: "y" } },
    });
    const second = await serialOf(port, ca.bundlePem);
    ads.push({ secrets: [broken] });
    assert.match(await ads.expectNack("SDS"), /^secret 'web': /);
    assert.equal(await serialOf(port, ca.bundlePem), second, "keeps the last good certificate");
    const dump = (await admin("/config_dump")).text;
    assert.match(dump, /\[redacted\]/);
    assert.doesNotMatch(dump, /PRIVATE KEY/);
  } finally {
    await stop();
  }
});

/** The serial number of the certificate a listener shows. */
function serialOf(port: number, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path: "/", ca, servername: "web.test", agent: false };
    const asked = request(options, (response) => {
      const serial = (response.socket as TLSSocket).getPeerX509Certificate()?.serialNumber ?? "";
      response.resume();
      response.on("end", () => resolve(serial));
    });
    asked.on("error", reject);
    asked.end();
  });
}

test("the command ends with 1 and says why when its file or a flag is wrong", async () => {
  const file = join(directory, "bad.yaml");
  writeFileSync(file, "static_resorces: {}\n");
  const said: string[] = [];
  const run = (options: object) =>
    runProxy({ configPath: file, writeError: (text) => said.push(text), ...options });
  assert.equal(await run({}), 1);
  assert.equal(await run({ configPath: join(directory, "none.yaml") }), 1);
  assert.equal(await run({ concurrency: 1.5 }), 2);
  assert.equal(await run({ logLevel: "loud" }), 2);
  assert.deepEqual(said, [
    `weft: ${file}:1:1: static_resorces: unknown field of envoy.config.bootstrap.v3.Bootstrap (did you mean \`static_resources\`?)\n  next: correct it and start again; nothing was started\n`,
    `weft: cannot read ${directory}/none.yaml: it does not exist\n  next: give the path of an Envoy bootstrap file with -c\n`,
    "weft: --concurrency 1.5: is not a number of workers\n  next: 1 to 128; more than there are processors gains nothing\n",
    "weft: --log-level loud: unknown\n  next: one of trace, debug, info, warning, error, critical, off\n",
  ]);
});

test("a start that finds its port taken says so once, with the place, and serves nothing", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as AddressInfo;
  const file = join(directory, "taken.yaml");
  const address = `{ socket_address: { address: 127.0.0.1, port_value: ${port} } }`;
  const filter = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
  const chain = `{ filters: [{ name: tcp, typed_config: { "@type": ${filter}, stat_prefix: s, cluster: c } }] }`;
  const starts: readonly (readonly [string, RegExp])[] = [
    [
      `static_resources:
  clusters: [{ name: c, type: STATIC, load_assignment: { cluster_name: c } }]
  listeners:
    - name: l
      address: ${address}
      filter_chains: [${chain}]
`,
      /^weft: .*taken\.yaml:5:7: listener 'l': cannot listen on 127\.0\.0\.1:\d+: the address is in use\n {2}next: .*ss -ltnp.*\n$/,
    ],
    [
      `admin:\n  address: ${address}\n`,
      /^weft: .*taken\.yaml:2:3: the admin endpoint cannot listen on .*: the address is in use\n {2}next: .*\n$/,
    ],
    ["{}\n", /^weft: .*taken\.yaml:1:1: nothing to serve.*\n {2}next: .*static_resources.*\n$/],
  ];
  for (const [text, message] of starts) {
    writeFileSync(file, text);
    const said: string[] = [];
    const code = await runProxy({ configPath: file, writeError: (line) => said.push(line) });
    assert.equal(code, 1);
    assert.match(said.join(""), message);
  }
  taken.close();
});

test("a bootstrap is validated without starting anything, and a stop ends with 0", async () => {
  const file = join(directory, "good.yaml");
  writeFileSync(file, "admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } } }\n");
  const said: string[] = [];
  const writeError = (text: string) => said.push(text);
  assert.equal(await runProxy({ configPath: file, isValidateOnly: true, writeError }), 0);
  assert.match(said.join(""), /configuration '.*good\.yaml' OK/);
  assert.equal(await runProxy({ configPath: file, stop: AbortSignal.abort(), writeError }), 0);
});

test("SIGUSR1 opens an access log anew after it was rotated", async () => {
  const probe = await echo("");
  const port = portOf(probe);
  probe.close();
  await once(probe, "close");
  const log = join(directory, "access.log");
  const file = join(directory, "logging.yaml");
  writeFileSync(
    file,
    `
static_resources:
  listeners:
    - name: l
      address: { socket_address: { address: 127.0.0.1, port_value: ${port} } }
      filter_chains:
        - filters:
            - name: hcm
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: s
                access_log:
                  - name: file
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
                      path: ${log}
                      log_format: { text_format_source: { inline_string: "%REQ(:PATH)%\\n" } }
                route_config:
                  virtual_hosts:
                    - { name: v, domains: ["*"], routes: [{ match: { prefix: / }, direct_response: { status: 200 } }] }
                http_filters:
                  - name: router
                    typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
`,
  );
  const stop = new AbortController();
  const said: string[] = [];
  const running = runProxy({
    configPath: file,
    drainTimeS: 0,
    stop: stop.signal,
    writeError: (text) => said.push(text),
  });
  const call = (path: string) =>
    fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: "close" } });
  await until("it answers", () =>
    call("/before").then(
      () => true,
      () => false,
    ),
  );
  renameSync(log, `${log}.1`);
  process.kill(process.pid, "SIGUSR1");
  while (!existsSync(log)) await new Promise((resolve) => setTimeout(resolve, 5));
  await call("/after");
  stop.abort();
  assert.equal(await running, 0, said.join(""));
  assert.equal(readFileSync(`${log}.1`, "utf8"), "/before\n");
  assert.equal(readFileSync(log, "utf8"), "/after\n");
});
