import type { ResourceOf } from "../config/resource.ts";
import type { WorkloadEntrySpec } from "../config/service-specs.ts";
import type { Endpoint } from "./endpoint.ts";
import { localityOf, parseLocality } from "./locality.ts";
import type { MeshOptions } from "./mesh-options.ts";
import type { MtlsResolution } from "./mtls-resolution.ts";
import { spiffeId } from "./spiffe-id.ts";

/** An endpoint that someone wrote down, with who it must prove to be where that was said. */
export interface WrittenEndpoint {
  readonly endpoint: Endpoint;
  readonly identity: string | undefined;
  /** Set where it still serves and is about to end: it is called while there is no other. */
  readonly isEnding?: true;
}

/** Service port to the place's own port, from the ports the place names. */
export type PortsOf = (own: Readonly<Record<string, number>>) => ReadonlyMap<number, number>;

interface Written {
  readonly place: WorkloadEntrySpec;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  /** As in `Endpoint`. */
  readonly workload: string;
}

/**
 * As in Istio it speaks mutual TLS when its label `security.istio.io/tlsMode`
 * says so or, without that label, when it has a service account; never to a port
 * whose PeerAuthentication refuses it.
 */
export function writtenEndpoint(
  { place, namespace, labels, workload }: Written,
  portsOf: PortsOf,
  { mtls, options }: { readonly mtls: MtlsResolution; readonly options: MeshOptions },
): WrittenEndpoint {
  const { address, weight = 0, serviceAccount } = place;
  const locality = localityOf(place.locality ? parseLocality(place.locality) : undefined, labels);
  const tlsMode = labels["security.istio.io/tlsMode"] ?? (serviceAccount ? "istio" : "disabled");
  const modes = mtls.of({ namespace, labels });
  const ports = [...portsOf(place.ports ?? {})].sort(([a], [b]) => a - b);
  return {
    endpoint: {
      address: address!,
      workload,
      labels,
      weight,
      ...(locality ? { locality } : {}),
      ports: ports.map(([servicePort, port]) => ({
        servicePort,
        port,
        isMutualTls: tlsMode === "istio" && (modes.ports.get(port) ?? modes.mode) !== "DISABLE",
      })),
    },
    identity: serviceAccount ? spiffeId(options.trustDomain, namespace, serviceAccount) : undefined,
  };
}

/** A name that DNS says the addresses of; of who is there nothing is known. */
export function nameAsEndpoint(address: string, ports: ReadonlyMap<number, number>): WrittenEndpoint {
  const own = [...ports].map(([servicePort, port]) => ({ servicePort, port, isMutualTls: false }));
  return { endpoint: { address, workload: "", labels: {}, weight: 0, ports: own }, identity: undefined };
}

/** A host of a ServiceEntry that names no other endpoint. */
export function ownNameOf(hostname: string, { spec }: ResourceOf<"ServiceEntry">): WrittenEndpoint {
  const ports = (spec.ports ?? []).map((p) => [p.number, p.targetPort ?? p.number] as const);
  return nameAsEndpoint(hostname, new Map(ports));
}
