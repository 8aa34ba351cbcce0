import { checkLabelSelector } from "./check-label-selector.ts";
import type { Finding } from "./finding.ts";
import type { ListenerSpec } from "./gateway-api-specs.ts";

const protocols = ["HTTP", "HTTPS", "TLS", "TCP"];

/** What the published rules say of the listeners that one resource has, a Gateway or a ListenerSet. */
export function checkListeners(listeners: readonly ListenerSpec[], find: Finding): void {
  const places = new Map<string, string>();
  listeners.forEach((listener, i) => {
    const path = `spec.listeners[${i}]`;
    checkListener(listener, path, find);
    const place = `${listener.port} ${listener.protocol} ${(listener.hostname ?? "").toLowerCase()}`;
    const other = places.get(place);
    if (other) {
      const message = `${path} has the port, protocol and hostname of ${other}`;
      find.error("W1210", path, message, "give one of them another port or hostname");
    }
    places.set(place, other ?? path);
  });
}

function checkListener(
  { hostname, port, protocol, tls, allowedRoutes }: ListenerSpec,
  path: string,
  find: Finding,
): void {
  const { selector } = allowedRoutes?.namespaces ?? {};
  if (selector) checkLabelSelector(selector, `${path}.allowedRoutes.namespaces.selector`, find);
  find.port(`${path}.port`, port);
  find.word(`${path}.protocol`, protocol, protocols);
  if (hostname !== undefined) {
    find.host(`${path}.hostname`, hostname);
    if (hostname === "*")
      find.error("W1203", `${path}.hostname`, `${path}.hostname: "*" is no hostname`, "leave it out");
    if (protocol === "TCP") find.error("W1106", `${path}.hostname`, "TCP names no host", "remove hostname");
  }
  const needsTls = protocol === "HTTPS" || protocol === "TLS";
  if (needsTls && !tls) find.error("W1104", path, `${path}.tls is missing: ${protocol} needs it`);
  if (!needsTls && tls) find.error("W1106", `${path}.tls`, `${path}.tls is for HTTPS and TLS`, "remove it");
  if (!needsTls || !tls) return;
  const { mode = "Terminate", certificateRefs = [] } = tls;
  if (protocol === "HTTPS" && mode === "Passthrough") {
    find.error(
      "W1106",
      `${path}.tls.mode`,
      "HTTPS is ended at the gateway",
      "write protocol: TLS to pass it on",
    );
  }
  if (mode === "Terminate" && certificateRefs.length === 0) {
    find.error("W1104", `${path}.tls`, `${path}.tls.certificateRefs is missing`, "name a Secret");
  }
  if (certificateRefs.length > 2) {
    find.error("W1105", `${path}.tls.certificateRefs`, "at most two certificates", "one RSA and one ECDSA");
  }
}
