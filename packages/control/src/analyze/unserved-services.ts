import { hostnameOf, selectsWorkloads } from "../model/host.ts";
import type { Analyzer } from "./analyzer.ts";

/** W2425: a Service selects nothing, and nothing that registered serves it either: a note, as something may yet. */
export const findUnservedServices: Analyzer = ({ mesh, resources, servicesOf, endpointsOf }, diagnostics) => {
  for (const { name, namespace, spec, origins } of resources.Service) {
    if (spec.type === "ExternalName" || selectsWorkloads(spec.selector)) continue;
    const hostname = hostnameOf(name, namespace, mesh.options);
    if (servicesOf(hostname).some((service) => endpointsOf(service).length > 0)) continue;
    const message = `${hostname} has no selector, and nothing that registered for it serves it: calls are answered with 503`;
    const hint = `run it with 'weft run --name ${name}', select the labels of workloads or of a WorkloadEntry, or write an EndpointSlice`;
    diagnostics.info("W2425", origins.at("metadata.name"), message, hint);
  }
};
