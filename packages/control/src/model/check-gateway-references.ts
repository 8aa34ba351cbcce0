import type { Diagnostics } from "@weft/base/diagnostics";
import type { ResourceOf } from "../config/resource.ts";
import { didYouMean } from "../config/suggest.ts";
import { serverHost } from "./gateway-server.ts";
import { commonHost } from "./host.ts";
import { resolveGateway } from "./routes-at.ts";

/** Names the gateways of a VirtualService that are not there, and its hosts that none of their servers has. */
export function checkGateways(
  { spec, namespace, origins }: ResourceOf<"VirtualService">,
  gateways: ReadonlyMap<string, ResourceOf<"Gateway">>,
  diagnostics: Diagnostics,
): void {
  spec.gateways?.forEach((written, i) => {
    const key = resolveGateway(written, namespace);
    if (key === "mesh") return;
    const at = origins.at(`spec.gateways[${i}]`);
    const gateway = gateways.get(key);
    if (!gateway) {
      const hint = didYouMean(key, gateways.keys()) ?? "it applies as soon as the Gateway exists";
      diagnostics.warning("IST0101", at, `there is no Gateway ${key}`, hint);
      return;
    }
    const served = (gateway.spec.servers ?? []).flatMap(({ hosts }) =>
      hosts
        .map((host) => serverHost(host, gateway.namespace))
        .filter((host) => host.namespace === undefined || host.namespace === namespace),
    );
    const isServed = (host: string) => served.some((server) => commonHost(server.host, host.toLowerCase()));
    if (spec.hosts?.some(isServed)) return;
    const message = `no server of Gateway ${key} takes these hosts from namespace ${namespace}`;
    diagnostics.warning("IST0132", at, message, "add one of them to servers[].hosts");
  });
}
