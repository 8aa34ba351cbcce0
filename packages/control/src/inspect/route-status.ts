import type { ConditionRecord, RouteStatus } from "../api/protocol.ts";
import { type Condition, controllerName, type ParentStatus } from "../model/gateway-api/route-status.ts";

/** In the Gateway API's form, as `kubectl` would show it. */
export function routeStatus(parents: readonly ParentStatus[]): RouteStatus {
  return {
    parents: parents.map(({ parentRef, conditions }) => ({
      parentRef,
      controllerName,
      conditions: conditions.map(conditionRecord),
    })),
  };
}

export function conditionRecord({ type, isTrue, reason, message }: Condition): ConditionRecord {
  return { type, status: isTrue ? "True" : "False", reason, message };
}
