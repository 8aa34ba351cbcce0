import { resolveHost } from "../model/host.ts";
import type { Analyzer } from "./analyzer.ts";

/** IST0112: a route to another service with several ports, none of which is the one that is called, does not say which. */
export const findUnspecifiedPorts: Analyzer = ({ mesh, resources, servicesOf }, diagnostics) => {
  for (const { spec, origins, namespace } of resources.VirtualService) {
    if (spec.gateways && !spec.gateways.includes("mesh")) continue;
    const hosts = (spec.hosts ?? []).map((host) => resolveHost(host, namespace, mesh.options));
    const called = new Set(
      hosts.flatMap(servicesOf).flatMap(({ ports }) => ports.map(({ number }) => number)),
    );
    spec.http?.forEach((rule, i) => {
      rule.route?.forEach(({ destination }, j) => {
        const host = resolveHost(destination.host, namespace, mesh.options);
        const ports = servicesOf(host).flatMap((service) => service.ports.map(({ number }) => number));
        if (destination.port?.number !== undefined || ports.length < 2 || called.size === 0) return;
        if (ports.some((port) => called.has(port))) return;
        const message = `${host} has ports ${ports.join(", ")}, and the route does not say which is meant`;
        const at = origins.at(`spec.http[${i}].route[${j}].destination`);
        diagnostics.error("IST0112", at, message, "add destination.port.number");
      });
    });
  }
};
