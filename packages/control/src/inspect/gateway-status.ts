import type { GatewayStatusRecord } from "../api/protocol.ts";
import type { GatewayStatus } from "../model/gateway-api/gateway-status.ts";
import { conditionRecord } from "./route-status.ts";

/** In the Gateway API's form, as `kubectl` would show it. */
export function gatewayStatus(status: GatewayStatus): GatewayStatusRecord {
  const { conditions, addresses, listeners, attachedListenerSets } = status;
  const own = { conditions: conditions.map(conditionRecord) };
  if (listeners.length === 0) return own;
  return {
    ...(addresses ? { addresses: addresses.map(({ type, value }) => ({ type, value })) } : {}),
    ...own,
    ...(attachedListenerSets === undefined ? {} : { attachedListenerSets }),
    listeners: listeners.map(({ name, supportedKinds, attachedRoutes, conditions: said }) => ({
      name,
      supportedKinds: supportedKinds.map((kind) => ({ group: "gateway.networking.k8s.io", kind })),
      attachedRoutes,
      conditions: said.map(conditionRecord),
    })),
  };
}
