import { TestCa } from "@weft/testkit/test-ca";

const authority = new TestCa();
const server = authority.leaf("servers", "front", { dnsNames: ["front.test"] });
const client = authority.leaf("clients", "web", { dnsNames: ["web.test", "www.test"] });

/** How a case's client connects: in clear, over TLS, or over TLS with a certificate of its own. */
export type ClientTls = "none" | "anonymous" | "certificate";

/** Options for `tls.connect`. */
export function clientTlsOptions(tls: ClientTls) {
  const own = tls === "certificate" ? { cert: client.chainPem, key: client.keyPem } : {};
  return { ca: authority.bundlePem, servername: "front.test", ...own };
}

/** A transport socket for both proxies; client certificates are verified, and demanded where `isMutual`. */
export function serverTransportSocket(isMutual: boolean): unknown {
  const inline = (text: string) => ({ inline_string: text });
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
      require_client_certificate: isMutual,
      common_tls_context: {
        tls_certificates: [
          { certificate_chain: inline(server.chainPem), private_key: inline(server.keyPem) },
        ],
        validation_context: { trusted_ca: inline(authority.bundlePem) },
        alpn_protocols: ["http/1.1"],
      },
    },
  };
}
