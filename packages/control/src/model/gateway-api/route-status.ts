import type { ParentRefSpec } from "../../config/gateway-api-specs.ts";

/** Who says so in the status of a route: the same name in every mesh. */
export const controllerName = "weft.dev/mesh";

/** One condition of a route, a Gateway or a policy, with a reason of the Gateway API's. */
export interface Condition {
  readonly type:
    | "Accepted"
    | "ResolvedRefs"
    | "Programmed"
    | "Conflicted"
    | "AddressesAssigned"
    | "InsecureFrontendValidationMode";
  readonly isTrue: boolean;
  readonly reason: string;
  readonly message: string;
}

export function condition(
  type: Condition["type"],
  isTrue: boolean,
  reason: string,
  message: string,
): Condition {
  return { type, isTrue, reason, message };
}

/** What became of a route at one of the parents it names. */
export interface ParentStatus {
  readonly parentRef: ParentRefSpec;
  readonly conditions: readonly Condition[];
}
