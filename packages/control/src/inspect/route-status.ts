import type { RouteStatus } from "../api/protocol.ts";
import { controllerName, type ParentStatus } from "../model/gateway-api/route-status.ts";

/** In the Gateway API's form, as `kubectl` would show it. */
export function routeStatus(parents: readonly ParentStatus[]): RouteStatus {
  return {
    parents: parents.map(({ parentRef, conditions }) => ({
      parentRef,
      controllerName,
      conditions: conditions.map(({ type, isTrue, reason, message }) => ({
        type,
        status: isTrue ? "True" : "False",
        reason,
        message,
      })),
    })),
  };
}
