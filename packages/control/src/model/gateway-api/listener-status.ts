import type { ApiListener } from "./api-listeners.ts";
import type { ListenerConflict } from "./listener-conflicts.ts";
import { type Condition, condition } from "./route-status.ts";
import type { RefFault } from "./trust-refs.ts";

export interface ListenerStatus {
  readonly name: string;
  readonly supportedKinds: readonly string[];
  readonly attachedRoutes: number;
  readonly conditions: readonly Condition[];
}

/** Whether a listener is sound, whether or not a gateway runs that has it. */
export function isValid({ conflict, isUnverifiable, certificateFaults }: ApiListener): boolean {
  return !conflict && !isUnverifiable && certificateFaults.length === 0;
}

/** @param isServed whether a gateway has it */
export function listenerStatus(
  listener: ApiListener,
  attachedRoutes: number,
  isServed: boolean,
): ListenerStatus {
  return {
    name: listener.spec.name,
    supportedKinds: listener.kinds,
    attachedRoutes,
    conditions: [
      acceptance(listener),
      references(listener),
      contention(listener.conflict),
      programming(listener, isServed),
    ],
  };
}

const inTheWay: Readonly<Record<ListenerConflict, string>> = {
  ProtocolConflict: "another listener has its port for another protocol",
  HostnameConflict: "another listener has its port and hostname",
};

function acceptance({ conflict, isUnverifiable, certificateFaults, owner }: ApiListener): Condition {
  if (conflict) return condition("Accepted", false, conflict, inTheWay[conflict]);
  if (isUnverifiable) {
    const message = "nothing verifies its clients: nobody is let in";
    return condition("Accepted", false, "NoValidCACertificate", message);
  }
  // As the Gateway API has it of ListenerSets, and not of Gateways.
  if (owner.kind === "ListenerSet" && certificateFaults.length > 0) {
    return condition("Accepted", false, "Invalid", "it has no certificate to show");
  }
  return condition("Accepted", true, "Accepted", "it can be served");
}

function references({ certificateFaults, trustFaults, refusedKinds, owner }: ApiListener): Condition {
  const [first] = [...certificateFaults, ...trustFaults];
  if (first) {
    const said = (faults: readonly RefFault[]) => faults.map(({ path, message }) => `${path}: ${message}`);
    // What a Gateway refers to is not for those who only have listeners at it.
    const ofTrust =
      owner.kind === "ListenerSet" && trustFaults.length > 0
        ? ["what its Gateway verifies clients by is not all there"]
        : said(trustFaults);
    const message = [...said(certificateFaults), ...ofTrust].join("; ");
    return condition("ResolvedRefs", false, first.reason, message);
  }
  if (refusedKinds.length > 0) {
    const message = `it cannot carry ${refusedKinds.join(", ")}`;
    return condition("ResolvedRefs", false, "InvalidRouteKinds", message);
  }
  return condition("ResolvedRefs", true, "ResolvedRefs", "all are known");
}

function contention(conflict: ListenerConflict | undefined): Condition {
  return conflict
    ? condition("Conflicted", true, conflict, inTheWay[conflict])
    : condition("Conflicted", false, "NoConflicts", "its port is its own, or shared");
}

function programming(listener: ApiListener, isServed: boolean): Condition {
  const { conflict } = listener;
  if (conflict) return condition("Programmed", false, conflict, inTheWay[conflict]);
  if (!isValid(listener)) {
    return condition("Programmed", false, "Invalid", "its connections are closed");
  }
  return isServed
    ? condition("Programmed", true, "Programmed", "gateways have it")
    : condition("Programmed", false, "Pending", "no gateway has it");
}
