import { isIP } from "node:net";
import { isLoopback } from "./cidr.ts";
import { flat } from "./latin1.ts";

/** Where a connection goes: an IP address with a port, or a Unix socket path. */
export type SocketAddress =
  | {
      readonly kind: "ip";
      readonly host: string;
      readonly port: number;
      /** Where to listen: on `::` take IPv4 too. */
      readonly isIpv4Compatible?: boolean;
    }
  | { readonly kind: "pipe"; readonly path: string };

/** `10.0.0.1:9080`, `[::1]:9080` or the socket's path: the form Envoy logs. */
export function formatAddress(address: SocketAddress): string {
  if (address.kind === "pipe") return address.path;
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

const texts = new WeakMap<SocketAddress, string>();

/** As `formatAddress`, which is done once for each address: for those of connections, which many requests share. */
export function addressText(address: SocketAddress): string {
  if (address.kind === "pipe") return address.path;
  let text = texts.get(address);
  if (text === undefined) {
    text = flat(formatAddress(address));
    texts.set(address, text);
  }
  return text;
}

/** `10.0.0.1:80` or `[::1]:80`; undefined for anything else. */
export function parseHostPort(text: string | undefined): SocketAddress | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):(\d{1,5})$/.exec(text ?? "");
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || isIP(host) === 0 || port === 0 || port > 65535) return undefined;
  return { kind: "ip", host, port };
}

/** Whether a connection comes from the machine it goes to. */
export function isLocalSource(connection: {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
}): boolean {
  const { local, remote } = connection;
  if (local.kind === "pipe" || remote.kind === "pipe") return true;
  return remote.host === local.host || isLoopback(remote.host);
}
