import type { PolicyStatusRecord } from "../api/protocol.ts";
import type { AncestorStatus } from "../model/gateway-api/policy-ancestors.ts";
import { controllerName } from "../model/gateway-api/route-status.ts";
import { conditionRecord } from "./route-status.ts";

/** In the Gateway API's form, as `kubectl` would show it. */
export function policyStatus(ancestors: readonly AncestorStatus[]): PolicyStatusRecord {
  return {
    ancestors: ancestors.map(({ ancestorRef, conditions }) => ({
      ancestorRef,
      controllerName,
      conditions: conditions.map(conditionRecord),
    })),
  };
}
