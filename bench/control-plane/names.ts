/** Names of the benchmark's mesh, which both of its processes make by themselves. */

export function serviceName(service: number): string {
  return `svc-${service}`;
}

export function instanceName(service: number, endpoint: number): string {
  return `svc-${service}-${endpoint}`;
}

export function addressOf(service: number, endpoint: number): string {
  return `10.${Math.floor(service / 250) + 1}.${(service % 250) + 1}.${endpoint + 1}`;
}

/** A mesh's services have a few ports between them: a proxy has one set of routes for each. */
const ports = 20;

export function portOf(service: number): number {
  return 9_000 + (service % ports);
}

export function routeNames(services: number): string[] {
  return Array.from({ length: Math.min(ports, services) }, (_, i) => String(portOf(i)));
}

export function clusterName(service: number): string {
  return `outbound|${portOf(service)}||${serviceName(service)}.default.svc.cluster.local`;
}

/** Proxies stand before the endpoints of all services in turn. */
export function nodeIdOf(proxy: number, services: number): string {
  const service = proxy % services;
  const endpoint = Math.floor(proxy / services);
  const name = instanceName(service, endpoint);
  return `sidecar~${addressOf(service, endpoint)}~${name}.default~default.svc.cluster.local`;
}

/** Every other service, so that each has half of the proxies for subscribers. */
export function subscribedServices(proxy: number, services: number): number[] {
  return Array.from({ length: services }, (_, i) => i).filter((i) => i % 2 === proxy % 2);
}
