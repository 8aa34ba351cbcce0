import type { Diagnostics } from "@weft/base/diagnostics";
import type { ListenerSet } from "./listener-sets.ts";
import { namesGateway, parentKey } from "./listener-sets.ts";
import type { ServedGateway } from "./served-gateways.ts";

/** Says where it was written what of Gateways and ListenerSets is not served, or not as written. */
export function reportGateways(
  gateways: readonly ServedGateway[],
  sets: readonly ListenerSet[],
  diagnostics: Diagnostics,
): void {
  for (const served of gateways) {
    const { gateway, refusal, backendFault, refusedSets } = served;
    const at = (path: string) => gateway.origins.at(path);
    if (refusal) diagnostics.warning("W2125", at("spec"), `${refusal.message}: the Gateway is not served`);
    if (backendFault) {
      const { path, message } = backendFault;
      diagnostics.warning("IST0101", at(path), message, "backends are shown no certificate");
    }
    for (const set of refusedSets) {
      const message = `Gateway ${parentKey(set)} takes no ListenerSets of namespace ${set.namespace}: this one does nothing`;
      const place = set.origins.at("spec.parentRef");
      diagnostics.warning("W2120", place, message, "its allowedListeners say which");
    }
    reportListeners(served, diagnostics);
  }
  reportOrphans(gateways, sets, diagnostics);
}

function reportListeners({ gateway, listeners }: ServedGateway, diagnostics: Diagnostics): void {
  const said = new Set<string>();
  for (const { owner, spec, written, conflict, certificateFaults, trustFaults } of listeners) {
    if (conflict) {
      const message = `listener ${spec.name} contends for port ${spec.port} (${conflict}): it is not served`;
      diagnostics.warning("IST0145", written.at, message, "give it another port or hostname");
    }
    for (const { path, message } of certificateFaults) {
      diagnostics.warning(
        "IST0101",
        owner.origins.at(path),
        message,
        "the listener's connections are closed",
      );
    }
    for (const { path, message } of trustFaults) {
      if (said.has(path)) continue;
      said.add(path);
      diagnostics.warning("IST0101", gateway.origins.at(path), message, "it verifies nobody");
    }
  }
}

function reportOrphans(
  gateways: readonly ServedGateway[],
  sets: readonly ListenerSet[],
  diagnostics: Diagnostics,
): void {
  const known = new Set(gateways.flatMap((served) => [...served.sets, ...served.refusedSets]));
  for (const set of sets) {
    if (known.has(set)) continue;
    const message = namesGateway(set)
      ? `Gateway ${parentKey(set)} is none that Weft serves: the ListenerSet does nothing`
      : `${set.spec.parentRef.kind} is no parent of ListenerSets: this one does nothing`;
    diagnostics.warning(
      "IST0101",
      set.origins.at("spec.parentRef"),
      message,
      "name a Gateway that is served",
    );
  }
}
