import { typeUrl } from "./type-url.ts";

const services = {
  aggregated: ["discovery.v3.AggregatedDiscoveryService", "AggregatedResources"],
  listener: ["listener.v3.ListenerDiscoveryService", "Listeners"],
  route: ["route.v3.RouteDiscoveryService", "Routes"],
  virtualHost: ["route.v3.VirtualHostDiscoveryService", "VirtualHosts"],
  cluster: ["cluster.v3.ClusterDiscoveryService", "Clusters"],
  endpoint: ["endpoint.v3.EndpointDiscoveryService", "Endpoints"],
  secret: ["secret.v3.SecretDiscoveryService", "Secrets"],
} as const;

/** `aggregated` has all types, any other its own. */
export type DiscoveryService = keyof typeof services;

/** The gRPC path of a discovery service. */
export function servicePath(service: DiscoveryService, mode: "Stream" | "Delta"): string {
  const [scope, plural] = services[service];
  return `/envoy.service.${scope}/${mode}${plural}`;
}

/** The only type a service has; undefined for ADS, which has all. */
export function typeOf(service: DiscoveryService): string | undefined {
  return service === "aggregated" ? undefined : typeUrl[service];
}

/** The service that has one type and no other. @throws RangeError for a type without one */
export function serviceOf(type: string): DiscoveryService {
  for (const name of Object.keys(services) as DiscoveryService[]) {
    if (typeOf(name) === type) return name;
  }
  throw new RangeError(`no discovery service has ${type}`);
}
