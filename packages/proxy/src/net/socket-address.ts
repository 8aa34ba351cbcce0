/** Where a connection goes: an IP address with a port, or a Unix socket path. */
export type SocketAddress =
  | { readonly kind: "ip"; readonly host: string; readonly port: number }
  | { readonly kind: "pipe"; readonly path: string };

/** `10.0.0.1:9080`, `[::1]:9080` or the socket's path: the form Envoy logs. */
export function formatAddress(address: SocketAddress): string {
  if (address.kind === "pipe") return address.path;
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
