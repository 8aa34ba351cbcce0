import { resolveHost } from "../model/host.ts";
import type { Service } from "../model/service.ts";
import type { Analyzer } from "./analyzer.ts";

/** W2421: a rule is for a port that its host does not have. */
export const findUnknownPorts: Analyzer = ({ mesh, resources, servicesOf }, diagnostics) => {
  const missing = (port: number | undefined, services: readonly Service[]): string | undefined => {
    if (port === undefined || services.length === 0) return undefined;
    const known = services.flatMap(({ ports }) => ports.map(({ number }) => number));
    if (known.includes(port)) return undefined;
    return [...new Set(known)].join(", ") || "none";
  };
  for (const { spec, origins, namespace } of resources.VirtualService) {
    if (spec.gateways && !spec.gateways.includes("mesh")) continue;
    const services = (spec.hosts ?? []).flatMap((host) =>
      servicesOf(resolveHost(host, namespace, mesh.options)),
    );
    for (const kind of ["http", "tcp", "tls"] as const) {
      spec[kind]?.forEach((rule, i) => {
        rule.match?.forEach(({ port }, j) => {
          const known = missing(port, services);
          if (known === undefined) return;
          const message = `this match never applies: ${spec.hosts!.join(", ")} has no port ${port}`;
          const at = origins.at(`spec.${kind}[${i}].match[${j}].port`);
          diagnostics.warning("W2421", at, message, `its ports: ${known}`);
        });
      });
    }
  }
  for (const { spec, origins, namespace } of resources.DestinationRule) {
    const services = servicesOf(resolveHost(spec.host, namespace, mesh.options));
    const policies = [
      [spec.trafficPolicy, "spec.trafficPolicy"] as const,
      ...(spec.subsets ?? []).map(
        ({ trafficPolicy }, i) => [trafficPolicy, `spec.subsets[${i}].trafficPolicy`] as const,
      ),
    ];
    for (const [policy, path] of policies) {
      policy?.portLevelSettings?.forEach(({ port }, i) => {
        const known = missing(port?.number, services);
        if (known === undefined) return;
        const at = origins.at(`${path}.portLevelSettings[${i}].port.number`);
        diagnostics.warning("W2421", at, `${spec.host} has no port ${port!.number}`, `its ports: ${known}`);
      });
    }
  }
};
