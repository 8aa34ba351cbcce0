import type { ResourceOf } from "../config/resource.ts";
import { hasLabels, selectsWorkloads } from "../model/host.ts";
import { declaredProtocol } from "../model/protocol.ts";
import type { Analyzer } from "./analyzer.ts";

/** IST0116: two Services say of one port of a workload that it speaks different protocols. */
export const findConflictingProtocols: Analyzer = ({ mesh, resources }, diagnostics) => {
  const reported = new Set<ResourceOf<"Service">>();
  for (const workload of mesh.workloads.values()) {
    const said = new Map<number, { readonly protocol: string; readonly by: ResourceOf<"Service"> }>();
    for (const service of resources.Service) {
      const { selector, ports = [] } = service.spec;
      if (
        !selectsWorkloads(selector) ||
        service.namespace !== workload.namespace ||
        !hasLabels(workload.labels, selector)
      )
        continue;
      ports.forEach((port, i) => {
        const target = port.targetPort ?? port.port;
        const protocol = declaredProtocol(port);
        if (typeof target !== "number" || protocol === undefined || (port.protocol ?? "TCP") !== "TCP")
          return;
        const first = said.get(target);
        if (!first) said.set(target, { protocol, by: service });
        else if (wireOf(first.protocol) !== wireOf(protocol) && !reported.has(service)) {
          reported.add(service);
          const message = `port ${target} of ${workload.workloadName} is ${protocol} here and ${first.protocol} in Service "${first.by.name}": the first by name holds`;
          diagnostics.warning(
            "IST0116",
            service.origins.at(`spec.ports[${i}]`),
            message,
            "declare the same protocol in both",
          );
        }
      });
    }
  }
};

/** gRPC is HTTP/2. */
function wireOf(protocol: string): string {
  return protocol === "grpc" ? "http2" : protocol;
}
