import type { ResourceOf } from "../../config/resource.ts";
import type { Workload } from "../../registry/workload.ts";
import { hostnameOf } from "../host.ts";
import type { MeshOptions } from "../mesh-options.ts";
import { gatewayLabel } from "../policy-target.ts";
import { controllerName } from "./route-status.ts";

export type ApiGateway = ResourceOf<"KubernetesGateway">;

/** Istio's, whose Gateways are taken as they are, and ours. */
const controllers: ReadonlySet<string> = new Set([controllerName, "istio.io/gateway-controller"]);
/** Classes that are there without a GatewayClass, as Istio makes its own. */
const builtInClasses: ReadonlySet<string> = new Set(["istio", "weft"]);

export function isOwnClass({ spec }: ResourceOf<"GatewayClass">): boolean {
  return controllers.has(spec.controllerName);
}

/** The Gateways of classes that are the mesh's; those of others are someone else's. */
export function ownGateways(
  gateways: readonly ApiGateway[],
  classes: readonly ResourceOf<"GatewayClass">[],
): ApiGateway[] {
  const byName = new Map(classes.map((one) => [one.name, isOwnClass(one)]));
  return gateways.filter(
    ({ spec }) => byName.get(spec.gatewayClassName) ?? builtInClasses.has(spec.gatewayClassName),
  );
}

/** Whether a workload is a proxy of a Gateway: of its namespace by its name, or the service that its address names. */
export function isProxyOf(
  { name, namespace, spec }: ApiGateway,
  workload: Pick<Workload, "namespace" | "labels" | "service">,
  options: Pick<MeshOptions, "domainSuffix">,
): boolean {
  const hosts = (spec.addresses ?? []).flatMap(({ type, value }) =>
    type === "Hostname" && value ? [value] : [],
  );
  if (hosts.length > 0 && workload.service !== "") {
    return hosts.includes(hostnameOf(workload.service, workload.namespace, options));
  }
  return workload.namespace === namespace && workload.labels[gatewayLabel] === name;
}
