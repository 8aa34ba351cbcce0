import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import net, { type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { freePort } from "@weft/testkit/free-port";
import { untilFound } from "@weft/testkit/until";
import { envoy, startEnvoy, startWeft, withEnvoy } from "../filters/side-by-side-fixture.ts";
import { createTunnelServer1, createTunnelServer2 } from "./test-tunnel-servers.ts";

/** One listener in both proxies, and what a client does there. */
interface Scene {
  readonly name: string;
  /** Of the TCP proxy; `cluster` defaults to the greeting upstream. */
  readonly tcp?: object;
  readonly listenerFilters?: readonly object[];
  readonly networkFilters?: readonly object[];
  readonly send?: string | Buffer;
  /** The client ends its side once it has received this. */
  readonly endsAfter?: RegExp;
  /** Where this proxy is stricter, or says more: what it gives instead. */
  readonly here?: { readonly received?: string; readonly log?: string };
}

const of = (type: string, fields: object = {}) => ({
  name: type,
  typed_config: { "@type": `type.googleapis.com/envoy.extensions.filters.${type}`, ...fields },
});
const proxyProtocol = (fields: object = {}) => [of("listener.proxy_protocol.v3.ProxyProtocol", fields)];
const v1 = "PROXY TCP4 1.2.3.4 5.6.7.8 1000 80\r\n";
const v2Signature = "0d0a0d0a000d0a515549540a";
const v2 = (rest: string) => Buffer.concat([Buffer.from(v2Signature + rest, "hex"), Buffer.from("x")]);

const addresses = "010203040506070804000050";
const echoed = /x$/;
const rule = { rules: [{ tlv_type: 5, on_tlv_present: { key: "k" } }] };

const scenes: readonly Scene[] = [
  { name: "plain", send: "x", endsAfter: echoed },
  { name: "refused", tcp: { cluster: "dead" } },
  { name: "refused twice", tcp: { cluster: "dead", max_connect_attempts: 2 } },
  { name: "no cluster", tcp: { cluster: "absent" } },
  { name: "no endpoint", tcp: { cluster: "empty" } },
  { name: "no room", tcp: { cluster: "full" } },
  { name: "idle", tcp: { idle_timeout: "0.1s" } },
  { name: "too long", tcp: { max_downstream_connection_duration: "0.1s" } },
  {
    name: "connected log",
    tcp: { access_log_options: { flush_access_log_on_connected: true } },
    send: "x",
    endsAfter: echoed,
  },
  {
    name: "early data",
    tcp: { upstream_connect_mode: "ON_DOWNSTREAM_DATA", max_early_data_bytes: 1 },
    send: "abx",
    endsAfter: echoed,
  },
  {
    name: "over the limit",
    networkFilters: [
      of("network.local_ratelimit.v3.LocalRateLimit", {
        stat_prefix: "l",
        token_bucket: { max_tokens: 1, fill_interval: "3600s" },
      }),
    ],
    send: "x",
    endsAfter: echoed,
  },
  { name: "PROXY 1", listenerFilters: proxyProtocol(), send: `${v1}x`, endsAfter: echoed },
  {
    name: "PROXY 1 unknown",
    listenerFilters: proxyProtocol(),
    send: "PROXY UNKNOWN\r\nx",
    endsAfter: echoed,
  },
  { name: "PROXY 1 bad", listenerFilters: proxyProtocol(), send: "PROXY TCP4 1.2.3 5.6.7.8 1 2\r\nx" },
  { name: "PROXY 1 UDP", listenerFilters: proxyProtocol(), send: "PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\nx" },
  {
    name: "PROXY 1 long port",
    listenerFilters: proxyProtocol(),
    send: "PROXY TCP4 1.2.3.4 5.6.7.8 01000 80\r\nx",
    endsAfter: echoed,
    here: { received: "", log: "" },
  },
  { name: "PROXY 2", listenerFilters: proxyProtocol(), send: v2(`2111000c${addresses}`), endsAfter: echoed },
  { name: "PROXY 2 local", listenerFilters: proxyProtocol(), send: v2("20000000"), endsAfter: echoed },
  {
    name: "PROXY 2 UDP",
    listenerFilters: proxyProtocol(),
    send: v2(`2112000c${addresses}`),
    endsAfter: echoed,
    here: { received: "", log: "" },
  },
  { name: "PROXY 2 cut TLV", listenerFilters: proxyProtocol(), send: v2(`21110010${addresses}05ffff00`) },
  {
    name: "PROXY 2 TLV",
    listenerFilters: proxyProtocol(rule),
    send: v2(`21110012${addresses}050003616263`),
    endsAfter: echoed,
  },
  { name: "PROXY missing", listenerFilters: proxyProtocol(), send: "what comes without a header" },
  {
    name: "PROXY optional",
    listenerFilters: proxyProtocol({ allow_requests_without_proxy_protocol: true }),
    send: "what comes without a header x",
    endsAfter: echoed,
  },
  {
    name: "PROXY 1 disallowed",
    listenerFilters: proxyProtocol({ disallowed_versions: ["V1"] }),
    send: `${v1}x`,
  },
  {
    name: "PROXY 1 not seen",
    listenerFilters: proxyProtocol({
      disallowed_versions: ["V1"],
      allow_requests_without_proxy_protocol: true,
    }),
    send: `${v1}x`,
    endsAfter: echoed,
  },
  {
    name: "PROXY 1 sent on as 1",
    listenerFilters: proxyProtocol(),
    tcp: { cluster: "sends 1" },
    send: `${v1}x`,
    endsAfter: echoed,
  },
  {
    name: "PROXY 1 over IPv6 sent on as 1",
    listenerFilters: proxyProtocol(),
    tcp: { cluster: "sends 1" },
    send: "PROXY TCP6 2001:db8:0:0::1 ::1 1 2\r\nx",
    endsAfter: echoed,
  },
  {
    name: "PROXY 1 sent on as 2",
    listenerFilters: proxyProtocol(),
    tcp: { cluster: "sends 2" },
    send: `${v1}x`,
    endsAfter: echoed,
  },
  {
    name: "PROXY 2 sent on with TLVs",
    listenerFilters: proxyProtocol({ pass_through_tlvs: { match_type: "INCLUDE", tlv_type: [5, 6] } }),
    tcp: { cluster: "sends 2 with TLVs" },
    send: v2(`2111001f${addresses}0500036162630600016407000165ea0002ffff`),
    endsAfter: echoed,
  },
  ...(["1", "2"] as const).flatMap((version): Scene[] => {
    const tunnel = (hostname: string, more: object = {}) => ({
      cluster: `tunnels ${version}`,
      tunneling_config: {
        hostname,
        headers_to_add: [{ header: { key: "x-tunnel", value: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%" } }],
        ...more,
      },
    });
    // Over HTTP/1 Envoy's tunnel ends with the client's side; here each side ends on its own, as over HTTP/2.
    const through = (asked: string) => {
      const received = `[${asked} 127.0.0.1] x bye`;
      const log = `TcpConnectionEnd - - 1/${received.length} tunnels 1 1 - 127.0.0.1 127.0.0.1 127.0.0.1 -\n`;
      return { send: "x", endsAfter: echoed, ...(version === "1" ? { here: { received, log } } : {}) };
    };
    return [
      {
        name: `tunnel, CONNECT over HTTP/${version}`,
        tcp: tunnel("host.example:443"),
        ...through("CONNECT host.example:443 host.example:443"),
      },
      {
        name: `tunnel, POST over HTTP/${version}`,
        tcp: tunnel("host.example", { use_post: true }),
        ...through("POST / host.example"),
      },
      {
        name: `tunnel, POST to a path over HTTP/${version}`,
        tcp: tunnel("host.example", { use_post: true, post_path: "/to?x" }),
        ...through("POST /to?x host.example"),
      },
      { name: `tunnel refused over HTTP/${version}`, tcp: tunnel("refused.example:443"), send: "x" },
    ];
  }),
  { name: "tunnel to nobody", tcp: { cluster: "dead", tunneling_config: { hostname: "a:1" } } },
];

const line = [
  "%ACCESS_LOG_TYPE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %BYTES_RECEIVED%/%BYTES_SENT%",
  "%UPSTREAM_CLUSTER% %UPSTREAM_REQUEST_ATTEMPT_COUNT% %UPSTREAM_TRANSPORT_FAILURE_REASON%",
  "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%",
  "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT% %DYNAMIC_METADATA(envoy.filters.listener.proxy_protocol:k)%",
].join(" ");

const address = (port: number) => ({ socket_address: { address: "127.0.0.1", port_value: port } });

interface UpstreamPorts {
  readonly greeting: number;
  readonly dead: number;
  readonly tunnels1: number;
  readonly tunnels2: number;
}

function bootstrapOf(ports: UpstreamPorts, logDirectory: string): string {
  const { greeting: upstreamPort, dead: deadPort, tunnels1, tunnels2 } = ports;
  const cluster = (name: string, port: number | undefined, more: object = {}) => ({
    name,
    connect_timeout: "1s",
    ...more,
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: port === undefined ? [] : [{ endpoint: { address: address(port) } }] }],
    },
  });
  const listener = (scene: Scene, i: number) => {
    const access_log = [
      {
        name: "file",
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
          path: join(logDirectory, `${i}.log`),
          log_format: { text_format_source: { inline_string: `${line}\n` } },
        },
      },
    ];
    const proxy = { stat_prefix: `s${i}`, cluster: "upstream", access_log, ...scene.tcp };
    const filters = [...(scene.networkFilters ?? []), of("network.tcp_proxy.v3.TcpProxy", proxy)];
    return {
      name: `s${i}`,
      address: address(0),
      listener_filters: scene.listenerFilters ?? [],
      filter_chains: [{ filters }],
    };
  };
  const transport = (name: string, type: string, fields: object = {}) => ({
    name,
    typed_config: { "@type": `type.googleapis.com/envoy.extensions.transport_sockets.${type}`, ...fields },
  });
  const proxied = (config: object) => ({
    transport_socket: transport("proxied", "proxy_protocol.v3.ProxyProtocolUpstreamTransport", {
      config,
      transport_socket: transport("raw", "raw_buffer.v3.RawBuffer"),
    }),
  });
  const tlvs = {
    version: "V2",
    pass_through_tlvs: { match_type: "INCLUDE", tlv_type: [5] },
    added_tlvs: [{ type: 9, value: Buffer.from("new").toString("base64") }],
  };
  const full = { circuit_breakers: { thresholds: [{ max_connections: 0 }] } };
  return JSON.stringify({
    admin: { address: address(0) },
    static_resources: {
      listeners: scenes.map(listener),
      clusters: [
        cluster("upstream", upstreamPort),
        cluster("dead", deadPort),
        cluster("empty", undefined),
        cluster("full", upstreamPort, full),
        cluster("tunnels 1", tunnels1),
        cluster("tunnels 2", tunnels2, {
          typed_extension_protocol_options: {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
              "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
        }),
        cluster("sends 1", upstreamPort, proxied({ version: "V1" })),
        cluster("sends 2", upstreamPort, proxied({ version: "V2" })),
        cluster("sends 2 with TLVs", upstreamPort, proxied(tlvs)),
      ],
    },
  });
}

interface Running {
  readonly ports: ReadonlyMap<string, number>;
  readonly logs: string;
  close(): Promise<unknown>;
}

const directory = mkdtempSync(join(tmpdir(), "weft-tcp-"));
const upstreams: { address(): unknown; close(): unknown; listen: Server["listen"] }[] = [];
const running: Running[] = [];

before(async () => {
  if (!envoy) return;
  const greeting = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    socket.write("hi ");
    socket.on("data", (bytes) => socket.write(bytes));
    socket.on("end", () => socket.end(" bye"));
  });
  for (const server of [greeting, createTunnelServer1(), createTunnelServer2()]) {
    upstreams.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  }
  const [greetingPort, tunnels1, tunnels2] = upstreams.map((one) => (one.address() as AddressInfo).port);
  for (const [name, start] of [
    ["envoy", (text: string) => startEnvoy(text, directory)],
    ["weft", startWeft],
  ] as const) {
    const logs = mkdtempSync(join(directory, `${name}-`));
    const ports = {
      greeting: greetingPort!,
      dead: await freePort(),
      tunnels1: tunnels1!,
      tunnels2: tunnels2!,
    };
    running.push({ ...(await start(bootstrapOf(ports, logs))), logs });
  }
});

after(async () => {
  for (const one of running) await one.close();
  for (const server of upstreams) server.close();
  rmSync(directory, { recursive: true });
});

/** All a client receives. */
function converse(port: number, { send, endsAfter }: Scene): Promise<string> {
  return new Promise((resolve) => {
    let received = "";
    const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => {
      received += bytes.toString("latin1");
      if (endsAfter?.test(received)) socket.end();
    });
    socket.on("end", () => socket.destroy());
    socket.on("close", () => resolve(received));
    if (send !== undefined) socket.write(send);
  });
}

/** Waits for `lines`; an expected silence is seen by the next scenes' lines, not by time. */
function logOf(logs: string, i: number, lines: number): Promise<string> {
  return untilFound(`${lines} lines in the log of ${scenes[i]!.name}`, () => {
    const text = readFileSync(join(logs, `${i}.log`), "utf8");
    return text.split("\n").length > lines ? text : undefined;
  });
}

for (const [i, scene] of scenes.entries()) {
  test(`TCP as in Envoy: ${scene.name}`, withEnvoy, async () => {
    const [theirs, ours] = running as [Running, Running];
    const expected = await converse(theirs.ports.get(`s${i}`)!, scene);
    const received = await converse(ours.ports.get(`s${i}`)!, scene);
    assert.equal(received, scene.here?.received ?? expected);
    const lines = expected === "" && scene.listenerFilters ? 0 : scene.name === "connected log" ? 2 : 1;
    const expectedLog = await logOf(theirs.logs, i, lines);
    const log = await logOf(ours.logs, i, scene.here?.log === "" ? 0 : lines);
    assert.equal(log, scene.here?.log ?? expectedLog);
  });
}
