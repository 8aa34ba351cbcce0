import { namespaceOf, resolveHost } from "../model/host.ts";
import { visibilityOf } from "../model/visibility.ts";
import type { Analyzer } from "./analyzer.ts";

/** W2414: a namespace decides for everybody where calls to another's service go. */
export const findForeignRoutes: Analyzer = ({ mesh, resources }, diagnostics) => {
  const { options, services } = mesh;
  for (const { spec, namespace, origins } of resources.VirtualService) {
    if (namespace === options.rootNamespace || (spec.gateways && !spec.gateways.includes("mesh"))) continue;
    const visibleIn = visibilityOf(spec.exportTo, namespace);
    if (visibleIn?.every((name) => name === namespace)) continue;
    spec.hosts?.forEach((written, i) => {
      const host = resolveHost(written, namespace, options);
      const owner = namespaceOf(host, options);
      if (owner === undefined || owner === namespace || !services.has(host)) return;
      const message = `calls of other namespaces to ${host}, a service of namespace ${owner}, go where namespace ${namespace} says`;
      const hint = 'exportTo: ["."] keeps it to its own callers; else move it to the service';
      diagnostics.warning("W2414", origins.at(`spec.hosts[${i}]`), message, hint);
    });
  }
};
