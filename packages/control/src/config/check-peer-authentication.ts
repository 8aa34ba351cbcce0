import type { Finding } from "./finding.ts";
import { joinPath } from "./origins.ts";
import type { PeerAuthenticationSpec } from "./security-specs.ts";

export function checkPeerAuthentication(spec: PeerAuthenticationSpec, find: Finding): void {
  const labels = Object.keys(spec.selector?.matchLabels ?? {});
  if (spec.portLevelMtls && labels.length === 0) {
    const hint = "name the workloads by selector.matchLabels";
    find.error("W1212", "spec.portLevelMtls", "spec.portLevelMtls needs a selector", hint);
  }
  for (const port of Object.keys(spec.portLevelMtls ?? {})) {
    const path = joinPath("spec.portLevelMtls", port);
    if (!/^\d+$/.test(port)) find.error("W1208", path, `${path}: "${port}" is not a port number`);
    else find.port(path, Number(port));
  }
}
