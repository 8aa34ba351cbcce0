/** Parts of bootstraps, as JSON, for tests. */

/** A message of Envoy's, by its name without `envoy.`. */
export const envoyType = (name: string) => ({ "@type": `type.googleapis.com/envoy.${name}` });

export const loopback = (port_value: number) => ({ socket_address: { address: "127.0.0.1", port_value } });

/** A cluster of one endpoint on this machine. */
export const staticCluster = (name: string, port: number, more: object = {}) => ({
  name,
  connect_timeout: "1s",
  load_assignment: {
    cluster_name: name,
    endpoints: [{ lb_endpoints: [{ endpoint: { address: loopback(port) } }] }],
  },
  ...more,
});

/** More of a cluster: it is spoken to in HTTP/2. */
export const overHttp2 = {
  typed_extension_protocol_options: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
      ...envoyType("extensions.upstreams.http.v3.HttpProtocolOptions"),
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
};
