import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import net, { type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import tls from "node:tls";
import { create, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import { TestCa } from "@weft/testkit/test-ca";
import { untilFound } from "@weft/testkit/until";
import {
  CheckRequestSchema,
  CheckResponseSchema,
} from "@weft/xds/gen/envoy/service/auth/v3/external_auth_pb";
import { envoy, startEnvoy, startWeft, withEnvoy } from "../side-by-side-fixture.ts";
import { startGrpcService, type TestGrpcService } from "../test-grpc-service.ts";

const ca = new TestCa();
const server = ca.leaf("default", "db");
const extension = (type: string, fields: object) => ({
  name: type.split(".").slice(0, -2).join("."),
  typed_config: { "@type": `type.googleapis.com/envoy.extensions.${type}`, ...fields },
});
const line =
  "%RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %DYNAMIC_METADATA(envoy.filters.network.ext_authz:k)% %BYTES_SENT%";

/** Where rules in shadow decide whether the service is asked, as Istio's CUSTOM policies do. */
const shadow = extension("filters.network.rbac.v3.RBAC", {
  stat_prefix: "tcp.",
  shadow_rules_stat_prefix: "istio_ext_authz_",
  shadow_rules: {
    action: "DENY",
    policies: {
      "ask-me": {
        permissions: [{ any: true }],
        principals: [{ authenticated: { principal_name: { safe_regex: { regex: ".*/(denied|slow)" } } } }],
      },
    },
  },
});
const onlyAsked = {
  filter_enabled_metadata: {
    filter: "envoy.filters.network.rbac",
    path: [{ key: "istio_ext_authz_shadow_effective_policy_id" }],
    value: { string_match: { prefix: "ask-" } },
  },
};

interface Scene {
  readonly name: string;
  readonly fields?: object;
  readonly before?: readonly object[];
  /** Whom the client is. */
  readonly callers: readonly string[];
}

const scenes: readonly Scene[] = [
  { name: "asks", callers: ["good", "denied", "noted", "broken", "slow"] },
  { name: "open", fields: { failure_mode_allow: true }, callers: ["good", "denied", "broken", "slow"] },
  {
    name: "tells",
    fields: { include_peer_certificate: true, include_tls_session: true },
    callers: ["good"],
  },
  { name: "some", fields: onlyAsked, before: [shadow], callers: ["good", "denied", "slow"] },
];

let service: TestGrpcService;
const upstream = net.createServer({ allowHalfOpen: true }, (socket) => {
  socket.on("error", () => {});
  socket.on("data", (bytes) => socket.write(`hello ${bytes}`, () => socket.end()));
  socket.on("end", () => socket.end());
});
const directory = mkdtempSync(join(tmpdir(), "weft-network-authz-"));
const running: {
  readonly name: string;
  readonly logs: string;
  readonly admin: string;
  close(): unknown;
  ports: ReadonlyMap<string, number>;
}[] = [];

function bootstrapOf(logs: string): string {
  const address = (port: number) => ({ socket_address: { address: "127.0.0.1", port_value: port } });
  const cluster = (name: string, port: number, more: object = {}) => ({
    name,
    connect_timeout: "1s",
    ...more,
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(port) } }] }],
    },
  });
  const http2 = {
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
  };
  const inline = (text: string) => ({ inline_string: text });
  const transport_socket = extension("transport_sockets.tls.v3.DownstreamTlsContext", {
    require_client_certificate: true,
    common_tls_context: {
      tls_certificates: [{ certificate_chain: inline(server.chainPem), private_key: inline(server.keyPem) }],
      validation_context: { trusted_ca: inline(ca.bundlePem) },
    },
  });
  const listener = ({ name, fields, before: first = [] }: Scene) => {
    const access_log = [
      extension("access_loggers.file.v3.FileAccessLog", {
        path: join(logs, name),
        log_format: { text_format_source: { inline_string: `${line}\n` } },
      }),
    ];
    const authz = extension("filters.network.ext_authz.v3.ExtAuthz", {
      stat_prefix: name,
      transport_api_version: "V3",
      grpc_service: { envoy_grpc: { cluster_name: "authz" }, timeout: "0.3s" },
      ...fields,
    });
    const proxy = { stat_prefix: name, cluster: "upstream", access_log };
    const filters = [...first, authz, extension("filters.network.tcp_proxy.v3.TcpProxy", proxy)];
    return { name, address: address(0), filter_chains: [{ filters, transport_socket }] };
  };
  return JSON.stringify({
    admin: { address: address(0) },
    static_resources: {
      listeners: scenes.map(listener),
      clusters: [
        cluster("upstream", (upstream.address() as AddressInfo).port),
        cluster("authz", service.port, http2),
      ],
    },
  });
}

before(async () => {
  if (!envoy) return;
  upstream.listen(0, "127.0.0.1");
  await once(upstream, "listening");
  service = await startGrpcService("/envoy.service.auth.v3.Authorization/Check", (bytes) => {
    const who = fromBinary(CheckRequestSchema, bytes).attributes?.source?.principal.split("/").at(-1);
    if (who === "slow") return "never";
    if (who === "broken") return 13;
    const answer = {
      status: { code: who === "denied" ? 7 : 0 },
      ...(who === "noted" ? { dynamicMetadata: { k: "v" } } : {}),
    };
    return toBinary(CheckResponseSchema, create(CheckResponseSchema, answer as never));
  });
  for (const [name, start] of [
    ["Envoy", (text: string) => startEnvoy(text, directory)],
    ["Weft", startWeft],
  ] as const) {
    const logs = mkdtempSync(join(directory, `${name}-`));
    running.push({ name, logs, ...(await start(bootstrapOf(logs))) });
  }
});
after(async () => {
  for (const one of running) await one.close();
  upstream.close();
  service?.close();
  rmSync(directory, { recursive: true });
});

/** All that a client receives who says `x`. */
async function converse(port: number, caller: string, endsAtOnce = false): Promise<string> {
  const { keyPem, chainPem } = ca.leaf("default", caller);
  const socket = tls.connect({
    port,
    host: "127.0.0.1",
    ca: ca.bundlePem,
    key: keyPem,
    cert: chainPem,
    servername: "db.example",
    checkServerIdentity: () => undefined,
    allowHalfOpen: true,
  } as tls.ConnectionOptions);
  let received = "";
  socket.on("error", () => {});
  socket.on("data", (bytes) => (received += bytes));
  socket.on("end", () => socket.end());
  if (endsAtOnce) socket.end("x");
  else socket.write("x");
  await once(socket, "close");
  return received;
}

/** What the service was asked, without what differs from one connection to the next. */
function askedOf(messages: readonly Uint8Array[]): readonly unknown[] {
  return messages.map((bytes) => {
    const asked = JSON.parse(
      JSON.stringify(toJson(CheckRequestSchema, fromBinary(CheckRequestSchema, bytes))),
    ) as {
      attributes: {
        request?: unknown;
        source: { address: { socketAddress: { portValue?: number } }; certificate?: string };
        destination: { address: { socketAddress: { portValue?: number } } };
      };
    };
    const { attributes } = asked;
    delete attributes.source.address.socketAddress.portValue;
    delete attributes.destination.address.socketAddress.portValue;
    delete attributes.request;
    // Each caller has a certificate of its own at each connection.
    if (attributes.source.certificate) {
      const text = decodeURIComponent(attributes.source.certificate);
      attributes.source.certificate = text.replace(/\n[\s\S]*\n-/, "\n…\n-");
    }
    return asked;
  });
}

for (const { name, callers } of scenes) {
  test(`connections are authorised as in Envoy: ${name}`, withEnvoy, async () => {
    const seen = [];
    for (const proxy of running) {
      service.received.length = 0;
      const received = [];
      for (const caller of callers) received.push(await converse(proxy.ports.get(name)!, caller));
      const log = await untilFound("a line for each caller", () => {
        const text = readFileSync(join(proxy.logs, name), "utf8");
        return text.split("\n").length > callers.length ? text : undefined;
      });
      const counted = (await (await fetch(`http://${proxy.admin}/stats?filter=ext_authz`)).text())
        .split("\n")
        // Envoy counts what it does not ask about with each read, here it is once.
        .filter((text) => text.startsWith(`ext_authz.${name}.`) && !text.includes(".disabled"));
      const asked = askedOf(service.received);
      seen.push({ received, log: log.trim().split("\n").sort(), asked, counted: counted.sort() });
    }
    assert.deepEqual(seen[1], seen[0]);
    assert.ok(seen[0]!.asked.length > 0);
  });
}

test("a client that ends before the service has answered is heard to the end", withEnvoy, async () => {
  for (const proxy of running) {
    assert.equal(await converse(proxy.ports.get("asks")!, "good", true), "hello x", proxy.name);
  }
});

test(
  "nothing is said to a client, nor to the upstream, before the service has answered",
  withEnvoy,
  async () => {
    let connected = 0;
    upstream.on("connection", () => (connected += 1));
    const { ports } = running[1]!;
    assert.equal(await converse(ports.get("asks")!, "slow"), "");
    assert.equal(await converse(ports.get("asks")!, "denied"), "");
    assert.equal(connected, 0);
  },
);
