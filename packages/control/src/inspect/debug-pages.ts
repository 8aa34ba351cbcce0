import type { ProxyStatus, TypeSync } from "../api/protocol.ts";
import type { ConfigResource } from "../config/resource.ts";
import { addressesOf } from "../model/endpoint.ts";
import type { Mesh } from "../model/mesh.ts";
import type { Service } from "../model/service.ts";

/** What the pages are made from. */
export interface DebugSources {
  readonly mesh: Mesh;
  readonly proxies: readonly ProxyStatus[];
  readonly resources: readonly ConfigResource[];
}

/** The pages under `/debug`, with the fields that readers of Istio's know. */
export const debugPages = {
  /** How far each proxy is. */
  syncz: ({ proxies, mesh }: DebugSources) =>
    proxies.filter(({ role }) => role === "sidecar").map((proxy) => syncRow(proxy, mesh)),
  /** The configuration in force. */
  configz: ({ resources }: DebugSources) => resources.map(configRow),
  /** The endpoints of every port of every service. */
  endpointz: ({ mesh }: DebugSources) => [...mesh.services.values()].flatMap((s) => endpointRows(s, mesh)),
  /** Every service. */
  registryz: ({ mesh }: DebugSources) => [...mesh.services.values()].map(serviceRow),
};

export type DebugPage = keyof typeof debugPages;

function syncRow({ workload, version, dataPlane, types }: ProxyStatus, mesh: Mesh) {
  const row: Record<string, string> = {
    cluster: "Kubernetes",
    proxy: workload,
    proxy_type: mesh.workloads.get(workload)?.gateway ? "router" : "sidecar",
    proxy_version: dataPlane,
    istio_version: version,
  };
  for (const [name, short] of syncedTypes) {
    const type = types.find((one: TypeSync) => one.type === short);
    row[`${name}_sent`] = type?.sentVersion ?? "";
    row[`${name}_acked`] = type?.ackedVersion ?? "";
  }
  return row;
}

const syncedTypes = [
  ["cluster", "CDS"],
  ["listener", "LDS"],
  ["route", "RDS"],
  ["endpoint", "EDS"],
] as const;

function configRow({ kind, apiVersion, name, namespace, labels, annotations, spec }: ConfigResource) {
  return { kind, apiVersion, metadata: { name, namespace, labels, annotations }, spec };
}

function endpointRows({ hostname, ports }: Service, { endpoints }: Mesh) {
  const own = endpoints.get(hostname) ?? [];
  return ports.map(({ number, name }) => ({
    svc: `${hostname}:${name}`,
    ep: own.flatMap((endpoint) => {
      const { labels, weight, workload, locality, ports: served } = endpoint;
      return served
        .filter(({ servicePort }) => servicePort === number)
        .map(({ port, isMutualTls }) => ({
          Addresses: addressesOf(endpoint),
          EndpointPort: port,
          ServicePortName: name,
          Labels: labels,
          Locality: { Label: locality ? `${locality.region}/${locality.zone}/${locality.subZone}` : "" },
          LbWeight: weight,
          TLSMode: isMutualTls ? "istio" : "disabled",
          WorkloadName: workload.split(";")[0],
          Namespace: workload.split(";")[1] ?? "",
        }));
    }),
  }));
}

/** As Istio numbers them. */
const resolutions = { endpoints: 0, dns: 1, "dns-single": 2, passthrough: 3 } as const;

function serviceRow(service: Service) {
  const { hostname, name, namespace, ports, addresses, resolution, isExternal } = service;
  return {
    Attributes: { ServiceRegistry: isExternal ? "External" : "Kubernetes", Name: name, Namespace: namespace },
    ports: ports.map(({ number, name: portName, protocol }) => ({ name: portName, port: number, protocol })),
    hostname,
    defaultAddress: addresses[0] ?? "0.0.0.0",
    addresses,
    Resolution: resolutions[resolution],
    MeshExternal: isExternal,
  };
}
