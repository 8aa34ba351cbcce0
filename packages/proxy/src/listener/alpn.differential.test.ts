import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import { after, before, describe, it } from "node:test";
import tls, { type TLSSocket } from "node:tls";
import { TestCa } from "@weft/testkit/test-ca";
import { type Contender, envoyOrSkip, startBoth } from "../test-contenders.ts";

const svid = new TestCa().leaf("default", "reviews");
const extension = "type.googleapis.com/envoy.extensions";
const address = { socket_address: { address: "127.0.0.1", port_value: 0 } };

/** A listener that offers HTTP/2 and HTTP/1.1, and whose chain is chosen by what clients say first. */
function bootstrap() {
  const manager = {
    "@type": `${extension}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: "main",
    http_filters: [
      {
        name: "envoy.filters.http.router",
        typed_config: { "@type": `${extension}.filters.http.router.v3.Router` },
      },
    ],
    route_config: {
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [{ match: { prefix: "/" }, direct_response: { status: 200 } }],
        },
      ],
    },
  };
  const certificate = { certificate_chain: { inline_string: svid.chainPem } };
  const context = {
    "@type": `${extension}.transport_sockets.tls.v3.DownstreamTlsContext`,
    common_tls_context: {
      alpn_protocols: ["h2", "http/1.1"],
      tls_certificates: [{ ...certificate, private_key: { inline_string: svid.keyPem } }],
    },
  };
  const inspector = { "@type": `${extension}.filters.listener.tls_inspector.v3.TlsInspector` };
  return {
    admin: { address },
    static_resources: {
      listeners: [
        {
          name: "main",
          address,
          listener_filters: [{ name: "envoy.filters.listener.tls_inspector", typed_config: inspector }],
          filter_chains: [
            {
              filter_chain_match: { transport_protocol: "tls" },
              filters: [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }],
              transport_socket: { name: "envoy.transport_sockets.tls", typed_config: context },
            },
          ],
        },
      ],
    },
  };
}

/** What was agreed on, and the status of a request by `version`. */
async function ask(port: number, offered: readonly string[], version: "1.1" | "2"): Promise<string> {
  const socket = tls.connect({
    port,
    host: "127.0.0.1",
    ALPNProtocols: [...offered],
    rejectUnauthorized: false,
  });
  try {
    await once(socket, "secureConnect");
    const status = version === "2" ? await byHttp2(socket) : await byHttp1(socket);
    return `${socket.alpnProtocol || "nothing"} ${status}`;
  } finally {
    socket.destroy();
  }
}

async function byHttp1(socket: TLSSocket): Promise<number> {
  socket.write("GET / HTTP/1.1\r\nhost: test\r\n\r\n");
  const [answer] = await once(socket, "data");
  return Number(/^HTTP\/1\.1 (\d+)/.exec(`${answer}`)?.[1]);
}

async function byHttp2(socket: TLSSocket): Promise<number> {
  const session = http2.connect("https://test", { createConnection: () => socket });
  const stream = session.request({ ":path": "/" });
  const [head] = await once(stream, "response");
  session.destroy();
  return head[":status"];
}

describe("what TLS agrees on to speak, as Envoy does it", { skip: envoyOrSkip }, () => {
  let contenders: readonly Contender[] = [];
  before(async () => {
    contenders = await startBoth(bootstrap());
  });
  after(async () => {
    for (const contender of contenders) await contender.close();
  });

  const cases = [
    ["HTTP/2 where it is offered", ["h2", "http/1.1"], "2", "h2 200"],
    ["HTTP/2 before what nobody knows", ["istio", "h2"], "2", "h2 200"],
    ["HTTP/1.1 where that is all", ["http/1.1"], "1.1", "http/1.1 200"],
    [
      "nothing where nothing is offered that is spoken here, and then HTTP/1.1",
      ["istio"],
      "1.1",
      "nothing 200",
    ],
    ["nothing where nothing is offered that is spoken here, and then HTTP/2", ["istio"], "2", "nothing 200"],
  ] as const;
  for (const [what, offered, version, expected] of cases) {
    it(`is ${what}`, async () => {
      for (const { name, port } of contenders) {
        assert.equal(await ask(port, offered, version), expected, name);
      }
    });
  }
});
