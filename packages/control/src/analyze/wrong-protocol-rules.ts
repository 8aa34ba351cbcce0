import { resolveHost } from "../model/host.ts";
import { isHttp } from "../model/protocol.ts";
import type { Analyzer } from "./analyzer.ts";

const kinds = {
  http: { serves: isHttp, what: "HTTP", hint: "name the port http or http-…, or set its appProtocol" },
  tcp: { serves: (protocol: string) => protocol === "tcp", what: "TCP", hint: "write the rule below http" },
  tls: {
    serves: (protocol: string) => protocol === "tls",
    what: "TLS",
    hint: "name the port tls-… or https-…",
  },
} as const;

/** W2420: rules for a protocol that no port of their host speaks. */
export const findWrongProtocolRules: Analyzer = ({ mesh, resources, servicesOf }, diagnostics) => {
  for (const { spec, origins, namespace } of resources.VirtualService) {
    if (spec.gateways && !spec.gateways.includes("mesh")) continue;
    const services = (spec.hosts ?? []).flatMap((host) =>
      servicesOf(resolveHost(host, namespace, mesh.options)),
    );
    const protocols = services.flatMap(({ ports }) => ports.map(({ protocol }) => protocol));
    if (protocols.length === 0) continue;
    for (const kind of ["http", "tcp", "tls"] as const) {
      const { serves, what, hint } = kinds[kind];
      if (!spec[kind]?.length || protocols.some(serves)) continue;
      const named = [...new Set(protocols)].join(", ");
      const message = `spec.${kind} never applies: no port of ${spec.hosts!.join(", ")} speaks ${what} (they speak ${named})`;
      diagnostics.warning("W2420", origins.keyAt(`spec.${kind}`), message, hint);
    }
  }
};
