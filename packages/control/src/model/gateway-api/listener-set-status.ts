import type { ApiListener } from "./api-listeners.ts";
import type { GatewayStatus } from "./gateway-status.ts";
import { isValid, type ListenerStatus } from "./listener-status.ts";
import { type Condition, condition } from "./route-status.ts";
import type { ServedGateway } from "./served-gateways.ts";

/** Of a ListenerSet that its Gateway takes. */
export function listenerSetStatus(
  { refusal }: ServedGateway,
  listeners: readonly { readonly listener: ApiListener; readonly status: ListenerStatus }[],
): GatewayStatus {
  const valid = listeners.filter(({ listener }) => isValid(listener));
  const isProgrammed = valid.some(({ status }) =>
    status.conditions.some(({ type, isTrue }) => type === "Programmed" && isTrue),
  );
  return {
    conditions: conditionsOf(refusal !== undefined, valid.length, listeners.length, isProgrammed),
    listeners: listeners.map(({ status }) => status),
  };
}

function conditionsOf(
  isParentRefused: boolean,
  valid: number,
  all: number,
  isProgrammed: boolean,
): readonly Condition[] {
  if (isParentRefused) {
    return both(false, ["ParentNotAccepted", "ParentNotProgrammed"], "its Gateway is not accepted");
  }
  if (valid === 0) return both(false, ["ListenersNotValid"], "none of its listeners can be served");
  const accepted =
    valid === all
      ? condition("Accepted", true, "Accepted", "every listener is accepted")
      : condition("Accepted", true, "ListenersNotValid", `${all - valid} of its listeners cannot be served`);
  return [
    accepted,
    isProgrammed
      ? condition("Programmed", true, "Programmed", "gateways have it")
      : condition("Programmed", false, "ParentNotProgrammed", "no gateway has it"),
  ];
}

/** Of a ListenerSet that its Gateway does not take. */
export function refusedSetStatus(namespace: string): GatewayStatus {
  const message = `its Gateway takes no ListenerSet of namespace ${namespace}`;
  return { conditions: both(false, ["NotAllowed"], message), listeners: [] };
}

function both(
  isTrue: boolean,
  [accepted, programmed = accepted]: readonly [string, string?],
  message: string,
): readonly Condition[] {
  return [
    condition("Accepted", isTrue, accepted, message),
    condition("Programmed", isTrue, programmed, message),
  ];
}
