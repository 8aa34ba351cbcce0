import type { ResourceOf } from "../config/resource.ts";
import type { Workload } from "../registry/workload.ts";
import type { Service, ServicePort } from "./service.ts";
import type { WrittenEndpoint } from "./written-endpoint.ts";

/** A workload that serves a service: service port to the workload's own port. */
export interface Backend {
  readonly workload: Workload;
  readonly ports: ReadonlyMap<number, number>;
}

/** A service before its endpoints' identities and its DestinationRule are known. */
export interface ServiceDraft {
  readonly service: Omit<Service, "identities" | "isMutualTls" | "policy" | "subsets" | "destinationRule">;
  readonly backends: readonly Backend[];
  /** Places that serve it because someone wrote them down. */
  readonly written: readonly WrittenEndpoint[];
  readonly entry: ResourceOf<"ServiceEntry"> | undefined;
}

export function portsInOrder(ports: Iterable<ServicePort>): ServicePort[] {
  return [...ports].sort((a, b) => a.number - b.number);
}
