import type { GatewayStatusRecord } from "../api/protocol.ts";
import type { GatewayStatus } from "../model/gateway-api/gateway-status.ts";
import { conditionRecord } from "./route-status.ts";

/** In the Gateway API's form, as `kubectl` would show it. */
export function gatewayStatus({ conditions, addresses, listeners }: GatewayStatus): GatewayStatusRecord {
  const own = { conditions: conditions.map(conditionRecord) };
  if (listeners.length === 0) return own;
  return {
    addresses: addresses.map((value) => ({ type: "IPAddress", value })),
    ...own,
    listeners: listeners.map(({ name, supportedKinds, attachedRoutes, conditions: said }) => ({
      name,
      supportedKinds: supportedKinds.map((kind) => ({ group: "gateway.networking.k8s.io", kind })),
      attachedRoutes,
      conditions: said.map(conditionRecord),
    })),
  };
}
