import type { ResourceOf } from "../config/resource.ts";
import { hostnameOf, resolveHost } from "../model/host.ts";
import { serviceOf } from "../rollout/canary-request.ts";
import type { Analyzer } from "./analyzer.ts";

/**
 * W2424: a Canary that can never begin a rollout: there is no such service,
 * nothing that shares its calls out, or not what it refers to.
 */
export const findIdleCanaries: Analyzer = ({ mesh, resources, servicesOf }, diagnostics) => {
  for (const canary of resources.Canary) {
    const { namespace, origins, spec } = canary;
    const service = serviceOf(canary);
    const hostname = hostnameOf(service, namespace, mesh.options);
    for (const { kind, path, name, of } of referencesOf(canary)) {
      if (resources[kind].some((one) => one.name === name && one.namespace === of)) continue;
      const message = `there is no ${kind} ${of}/${name}: no rollout begins`;
      diagnostics.warning("W2424", origins.at(path), message, "apply it, or name another");
    }
    const at = origins.at(spec.service?.name === undefined ? "spec.targetRef.name" : "spec.service.name");
    if (servicesOf(hostname).length === 0) {
      const hint =
        "name a service of its namespace; service.name says which, where it is not the target's name";
      diagnostics.warning(
        "W2424",
        at,
        `there is no service ${service} in ${namespace}: no rollout begins`,
        hint,
      );
      continue;
    }
    const isRouted =
      mesh.attached.has(hostname) ||
      resources.VirtualService.some(({ spec: { hosts = [] }, namespace: of }) =>
        hosts.some((host) => resolveHost(host, of, mesh.options) === hostname),
      );
    if (isRouted) continue;
    const hint =
      "apply a VirtualService and a DestinationRule with subsets, or an HTTPRoute: docs/rollouts.md";
    diagnostics.warning(
      "W2424",
      at,
      `nothing routes ${service}: there are no weights to shift, and no rollout begins`,
      hint,
    );
  }
};

/** The templates of its metrics, and who its alerts are for. */
function referencesOf({ namespace, spec: { analysis } }: ResourceOf<"Canary">) {
  const metrics = (analysis.metrics ?? []).flatMap(({ templateRef: ref }, i) =>
    ref ? [{ kind: "MetricTemplate" as const, path: `spec.analysis.metrics[${i}].templateRef`, ref }] : [],
  );
  const alerts = (analysis.alerts ?? []).map(({ providerRef: ref }, i) => {
    return { kind: "AlertProvider" as const, path: `spec.analysis.alerts[${i}].providerRef`, ref };
  });
  return [...metrics, ...alerts].map(({ kind, path, ref }) => {
    return { kind, path: `${path}.name`, name: ref.name, of: ref.namespace ?? namespace };
  });
}
