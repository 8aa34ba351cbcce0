import { type Diagnostics, type Told, told } from "@weft/base/diagnostics";
import { KeptFor } from "@weft/base/kept-for";
import type { Workload } from "../registry/workload.ts";
import type { ServicePort } from "./service.ts";
import { ownAddresses } from "./service-addresses.ts";
import { portsInOrder, type ServiceDraft } from "./service-draft.ts";

/** By the first of the workloads. */
const registered = new KeptFor<Workload, Told<ServiceDraft>>();

/** A service by those that register for it. */
export function registeredService(
  hostname: string,
  group: readonly Workload[],
  vip: string | undefined,
): Told<ServiceDraft> {
  return registered.get(group[0]!, [hostname, vip, ...group], () =>
    told((diagnostics) => fromRegistration(hostname, group, vip, diagnostics)),
  );
}

function fromRegistration(
  hostname: string,
  group: readonly Workload[],
  vip: string | undefined,
  diagnostics: Diagnostics,
): ServiceDraft {
  const ports = new Map<number, ServicePort>();
  for (const workload of group) {
    for (const { port, protocol, name } of workload.ports) {
      const first = ports.get(port);
      if (!first) ports.set(port, { number: port, name: name || `${protocol}-${port}`, protocol });
      else if (first.protocol !== protocol) {
        const message = `${workload.id} serves port ${port} of ${hostname} as ${protocol}, others as ${first.protocol}`;
        diagnostics.warning("W2109", undefined, message, "give all instances of a service the same protocol");
      }
    }
  }
  const [first] = group;
  return {
    service: {
      hostname,
      name: first!.service,
      namespace: first!.namespace,
      isExternal: false,
      resolution: "endpoints",
      isHeadless: false,
      addresses: ownAddresses(vip),
      ports: portsInOrder(ports.values()),
      source: undefined,
    },
    backends: group.map((workload) => ({
      workload,
      ports: new Map(workload.ports.map(({ port }) => [port, port])),
    })),
    written: [],
    entry: undefined,
  };
}

const merged = new KeptFor<ServiceDraft, ServiceDraft>();

/** YAML says what a port is; a registration adds ports and backends that YAML does not name. */
export function mergedService(yaml: ServiceDraft | undefined, registered: ServiceDraft): ServiceDraft {
  return yaml ? merged.get(yaml, [registered], () => merge(yaml, registered)) : registered;
}

function merge(yaml: ServiceDraft, registered: ServiceDraft): ServiceDraft {
  const ports = new Map([...registered.service.ports, ...yaml.service.ports].map((p) => [p.number, p]));
  const backends = new Map(yaml.backends.map((b) => [b.workload.id, b]));
  for (const { workload, ports: own } of registered.backends) {
    const known = backends.get(workload.id);
    backends.set(workload.id, { workload, ports: new Map([...own, ...(known?.ports ?? [])]) });
  }
  return {
    service: { ...yaml.service, ports: portsInOrder(ports.values()) },
    written: yaml.written,
    backends: [...backends.values()].sort((a, b) => (a.workload.id < b.workload.id ? -1 : 1)),
    entry: undefined,
  };
}
