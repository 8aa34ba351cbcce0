import type { Endpoint } from "./cluster.ts";

/** The server name (SNI) to ask an endpoint for; "" asks for none. @see UpstreamTlsContext.auto_host_sni */
export function serverNameOf({ tls, plan }: Pick<Endpoint, "tls" | "plan">): string {
  if (tls?.asksForHostname && plan.hostname !== "") return plan.hostname;
  return tls?.sni ?? "";
}
