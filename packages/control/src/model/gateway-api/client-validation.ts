import type { ResourceOf } from "../../config/resource.ts";
import type { ClientTrust, ServerTls } from "../gateway.ts";
import type { GatewayLookup } from "./gateway-lookup.ts";
import { type RefFault, resolveTrust } from "./trust-refs.ts";

/** What a Gateway asks of its HTTPS clients on a port. */
export interface ClientValidation extends Pick<ServerTls, "clients" | "acceptsUntrusted"> {
  readonly trust: Extract<ClientTrust, { readonly bundle: string }>;
  readonly faults: readonly RefFault[];
}

/** By `spec.tls.frontend`: what is said of the port, else what is said of all; undefined where clients show nothing. */
export function clientValidation(
  { spec, namespace }: ResourceOf<"KubernetesGateway">,
  port: number,
  lookup: GatewayLookup,
): ClientValidation | undefined {
  const frontend = spec.tls?.frontend;
  if (!frontend) return undefined;
  const index = frontend.perPort?.findIndex((one) => one.port === port) ?? -1;
  const { validation } = index < 0 ? frontend.default : frontend.perPort![index]!.tls;
  if (!validation) return undefined;
  const { caCertificateRefs, mode = "AllowValidOnly" } = validation;
  const at = index < 0 ? "default" : `perPort[${index}].tls`;
  const path = `spec.tls.frontend.${at}.validation.caCertificateRefs`;
  const { roots, faults } = resolveTrust(caCertificateRefs, path, {
    trust: lookup.trust,
    namespace,
    kindReason: "InvalidCACertificateKind",
    refusal: (ref) => lookup.refusal({ kind: "Gateway", namespace }, ref),
  });
  const names = caCertificateRefs.map((ref) => `${ref.namespace ?? namespace}/${ref.name}`);
  return {
    ...(mode === "AllowInsecureFallback"
      ? { clients: "optional", acceptsUntrusted: true }
      : { clients: "verified" }),
    trust: { bundle: names.join(","), roots: roots.join("\n") },
    faults,
  };
}
