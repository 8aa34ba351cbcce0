/** `outbound|9080|v1|reviews.default.svc.cluster.local` */
export function outboundClusterName(port: number, subset: string, hostname: string): string {
  return `outbound|${port}|${subset}|${hostname}`;
}

/** `outbound_.9080_.v1_.reviews.default.svc.cluster.local`: the server name of mutual TLS to a subset. */
export function outboundServerName(port: number, subset: string, hostname: string): string {
  return `outbound_.${port}_.${subset}_.${hostname}`;
}

export function inboundName(port: number): string {
  return `inbound|${port}||`;
}

/** The virtual host of a service on a port. */
export function hostName(hostname: string, port: number): string {
  return `${hostname}:${port}`;
}

/** What `hostName` joined. */
export function hostNameParts(name: string): { readonly host: string; readonly port: string } {
  const colon = name.lastIndexOf(":");
  return { host: name.slice(0, colon), port: name.slice(colon + 1) };
}

/** The listener that application traffic to `address:port` is handed to. */
export function listenerName(address: string, port: number): string {
  return `${address}_${port}`;
}

export const passthroughCluster = "PassthroughCluster";
export const blackHoleCluster = "BlackHoleCluster";
export const inboundPassthroughCluster = "InboundPassthroughCluster";

export const outboundCapturePort = 15001;
export const inboundCapturePort = 15006;
