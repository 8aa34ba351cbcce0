/** A listener that echoes over TLS, in a bootstrap for Envoy and for this proxy; for tests of handshakes. */

/** The name of a message under `envoy.extensions`. */
export const extensionType = (name: string) => `type.googleapis.com/envoy.extensions.${name}`;
export const inlineString = (text: string) => ({ inline_string: text });

const anyPort = { socket_address: { address: "127.0.0.1", port_value: 0 } };

/** @param downstream the fields of its DownstreamTlsContext */
export function tlsEchoBootstrap(downstream: object) {
  const echo = { name: "echo", typed_config: { "@type": extensionType("filters.network.echo.v3.Echo") } };
  const tls = { "@type": extensionType("transport_sockets.tls.v3.DownstreamTlsContext"), ...downstream };
  const chain = { filters: [echo], transport_socket: { name: "tls", typed_config: tls } };
  return {
    admin: { address: anyPort },
    static_resources: { listeners: [{ name: "l", address: anyPort, filter_chains: [chain] }] },
  };
}
