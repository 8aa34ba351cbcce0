import { hasLabels, resolveHost } from "../model/host.ts";
import type { Analyzer } from "./analyzer.ts";

/** W2422: calls are routed to a subset that no endpoint of the service belongs to, though it has others. */
export const findEmptySubsets: Analyzer = ({ mesh, resources, servicesOf, endpointsOf }, diagnostics) => {
  for (const { spec, origins, namespace } of resources.VirtualService) {
    if (spec.gateways && !spec.gateways.includes("mesh")) continue;
    for (const kind of ["http", "tcp", "tls"] as const) {
      spec[kind]?.forEach((rule, i) => {
        rule.route?.forEach(({ destination, weight }, j) => {
          const { subset: name } = destination;
          if (!name || weight === 0) return;
          const host = resolveHost(destination.host, namespace, mesh.options);
          for (const service of servicesOf(host)) {
            const subset = service.subsets.find((one) => one.name === name);
            const endpoints = endpointsOf(service);
            if (!subset || endpoints.length === 0) continue;
            if (endpoints.some(({ labels }) => hasLabels(labels, subset.labels))) continue;
            const labels = Object.entries(subset.labels).map(([key, value]) => `${key}=${value}`);
            const message = `no endpoint of ${host} has the labels of subset "${name}" (${labels.join(", ")}): calls routed to it are answered with 503`;
            const at = origins.at(`spec.${kind}[${i}].route[${j}].destination.subset`);
            diagnostics.warning(
              "W2422",
              at,
              message,
              "deploy that version first, or route to one that is there",
            );
            return;
          }
        });
      });
    }
  }
};
