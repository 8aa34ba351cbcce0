import { isIP } from "node:net";
import { checkLabelSelector } from "./check-label-selector.ts";
import { checkListeners } from "./check-listeners.ts";
import type { Finding } from "./finding.ts";
import type { GatewayAddressSpec, GatewayTlsSpec, KubernetesGatewaySpec } from "./gateway-api-specs.ts";

/** What the Gateway API's published rules say of a Gateway, beyond the types of its fields. */
export function checkKubernetesGateway(spec: KubernetesGatewaySpec, find: Finding): void {
  checkListeners(spec.listeners, find);
  checkAddresses(spec.addresses ?? [], find);
  checkFrontend(spec.tls?.frontend, find);
  const { selector } = spec.allowedListeners?.namespaces ?? {};
  if (selector) checkLabelSelector(selector, "spec.allowedListeners.namespaces.selector", find);
}

function checkAddresses(addresses: readonly GatewayAddressSpec[], find: Finding): void {
  const seen = new Set<string>();
  addresses.forEach(({ type = "IPAddress", value = "" }, i) => {
    if (value === "") return;
    const path = `spec.addresses[${i}].value`;
    if (type === "IPAddress" && isIP(value) === 0) {
      find.error("W1204", path, `"${value}" is not an IP address`);
    }
    if (type === "Hostname") find.host(path, value);
    const key = `${type} ${value}`;
    if (seen.has(key))
      find.error("W1106", path, `${path}: ${value} is asked for twice`, "remove one of them");
    seen.add(key);
  });
}

function checkFrontend(frontend: GatewayTlsSpec["frontend"], find: Finding): void {
  if (!frontend) return;
  const { default: all, perPort = [] } = frontend;
  const places = [
    ["default", all] as const,
    ...perPort.map(({ tls }, i) => [`perPort[${i}].tls`, tls] as const),
  ];
  for (const [place, { validation }] of places) {
    validation?.caCertificateRefs.forEach(({ group, kind, namespace }, i) => {
      if (group !== "certificates.k8s.io" || kind !== "ClusterTrustBundle" || namespace === undefined) return;
      const path = `spec.tls.frontend.${place}.validation.caCertificateRefs[${i}].namespace`;
      find.error("W1106", path, "a ClusterTrustBundle is in no namespace", "remove namespace");
    });
  }
}
