import type { BackendRefSpec } from "../../config/gateway-api-specs.ts";
import { hostnameOf } from "../host.ts";
import type { Mesh } from "../mesh.ts";
import type { Destination } from "../routing.ts";

/** Where references are looked up. */
export type BackendLookup = Pick<Mesh, "services" | "options">;

/** A reference that leads nowhere, by the reasons of the Gateway API's condition `ResolvedRefs`. */
export interface RefProblem {
  readonly reason: "BackendNotFound" | "InvalidKind" | "RefNotPermitted";
  readonly message: string;
  /** Of the reference in its resource, e.g. `spec.rules[0].backendRefs[1]`. */
  readonly path: string;
}

/**
 * The destination a reference means: a Service, or with Istio's kind `Hostname`
 * a host by its name. One that does not exist is a destination all the same: it
 * keeps its share of the calls, and they fail.
 */
export function resolveBackend(
  ref: BackendRefSpec,
  path: string,
  namespace: string,
  { services, options }: BackendLookup,
): { readonly destination: Destination; readonly problem: RefProblem | undefined } {
  const { group = "", kind = "Service", name, port, weight = 1 } = ref;
  const isHostname = group === "networking.istio.io" && kind === "Hostname";
  if (!isHostname && (group !== "" || kind !== "Service")) {
    const message = `${kind}${group && ` (${group})`} is no kind of backend: write a Service, or Istio's Hostname`;
    const destination = { host: `${name}.${kind.toLowerCase()}.invalid`, subset: "", port, weight };
    return { destination, problem: { reason: "InvalidKind", message, path } };
  }
  const host = isHostname ? name.toLowerCase() : hostnameOf(name, ref.namespace ?? namespace, options);
  const destination = { host, subset: "", port, weight };
  const service = services.get(host);
  const missing = !service
    ? `service ${host} is not known`
    : port !== undefined && !service.ports.some(({ number }) => number === port)
      ? `${host} has no port ${port}`
      : undefined;
  if (missing === undefined) return { destination, problem: undefined };
  return { destination, problem: { reason: "BackendNotFound", message: missing, path } };
}
