import { Diagnostics } from "@weft/base/diagnostics";
import { type ResourceOf, resourceKey } from "../../config/resource.ts";
import { mergeGateways } from "../merge-gateways.ts";
import type { Mesh, MeshWorkload } from "../mesh.ts";
import { type ApiGateway, type ApiListener, isOwnClass } from "./api-gateways.ts";
import type { GatewayAttachments } from "./attach-to-gateways.ts";
import type { Condition } from "./route-status.ts";

/** What became of a Gateway, or of a GatewayClass, which has conditions alone. */
export interface GatewayStatus {
  readonly conditions: readonly Condition[];
  readonly addresses: readonly string[];
  readonly listeners: readonly ListenerStatus[];
}

export interface ListenerStatus {
  readonly name: string;
  readonly supportedKinds: readonly string[];
  readonly attachedRoutes: number;
  readonly conditions: readonly Condition[];
}

/** By resource key. */
export type GatewayStatuses = ReadonlyMap<string, GatewayStatus>;

export function gatewayStatuses(
  classes: readonly ResourceOf<"GatewayClass">[],
  listeners: readonly ApiListener[],
  attachments: GatewayAttachments,
  { workloads }: Pick<Mesh, "workloads">,
): GatewayStatuses {
  const statuses = new Map<string, GatewayStatus>();
  for (const one of classes.filter(isOwnClass)) {
    const accepted = condition("Accepted", true, "Accepted", "Weft serves Gateways of this class");
    statuses.set(resourceKey(one), { conditions: [accepted], addresses: [], listeners: [] });
  }
  const running = [...workloads.values()].filter(({ gateway }) => gateway !== undefined);
  for (const [gateway, own] of Map.groupBy(listeners, (listener) => listener.gateway)) {
    statuses.set(resourceKey(gateway), statusOf(gateway, own, attachments, running));
  }
  return statuses;
}

function statusOf(
  { name }: ApiGateway,
  listeners: readonly ApiListener[],
  attachments: GatewayAttachments,
  running: readonly MeshWorkload[],
): GatewayStatus {
  const conflicts = conflictsAmong(listeners);
  const proxies = running.filter(({ gateway }) => listeners.some((one) => isServed(one, gateway)));
  const isRunning = proxies.length > 0;
  const areValid = conflicts.size === 0;
  return {
    conditions: [
      areValid
        ? condition("Accepted", true, "Accepted", "every listener is accepted")
        : condition("Accepted", true, "ListenersNotValid", "some listeners contend"),
      isRunning
        ? condition("Programmed", true, "Programmed", `${proxies.length} running`)
        : condition("Programmed", false, "Pending", `no gateway is running: weft run --gateway ${name}`),
    ],
    addresses: [...new Set(proxies.flatMap(({ addresses }) => addresses))].sort(),
    listeners: listeners.map((listener) => ({
      name: listener.spec.name,
      supportedKinds: listener.kinds,
      attachedRoutes: attachments.count(listener),
      conditions: listenerConditions(listener, conflicts.get(listener), proxies),
    })),
  };
}

function isServed({ written }: ApiListener, role: MeshWorkload["gateway"]): boolean {
  return (
    role?.listeners.some(({ servers }) =>
      servers.some(({ gateway }) => gateway === written.server.gateway),
    ) ?? false
  );
}

function listenerConditions(
  listener: ApiListener,
  conflict: string | undefined,
  proxies: readonly MeshWorkload[],
): Condition[] {
  const { refusedCertificate, refusedKinds } = listener;
  const isProgrammed = proxies.some(({ gateway }) => isServed(listener, gateway));
  const refs = refusedCertificate
    ? condition(
        "ResolvedRefs",
        false,
        refusedCertificate.startsWith("no ReferenceGrant") ? "RefNotPermitted" : "InvalidCertificateRef",
        refusedCertificate,
      )
    : refusedKinds.length > 0
      ? condition("ResolvedRefs", false, "InvalidRouteKinds", `it cannot carry ${refusedKinds.join(", ")}`)
      : condition("ResolvedRefs", true, "ResolvedRefs", "all are known");
  return [
    conflict
      ? condition("Accepted", false, conflict, "another listener has its port")
      : condition("Accepted", true, "Accepted", "it can be served"),
    refs,
    conflict
      ? condition("Conflicted", true, conflict, "another listener has its port")
      : condition("Conflicted", false, "NoConflicts", "its port is its own, or shared"),
    isProgrammed
      ? condition("Programmed", true, "Programmed", "gateways have it")
      : condition("Programmed", false, conflict ? "Invalid" : "Pending", "no gateway has it"),
  ];
}

/** Listeners that cannot share their port with those before them, and why. */
function conflictsAmong(listeners: readonly ApiListener[]): ReadonlyMap<ApiListener, string> {
  const role = mergeGateways(
    listeners.map(({ written }) => written),
    (port) => port,
    new Diagnostics(),
  );
  const lost = listeners.filter((listener) => !isServed(listener, role));
  return new Map(
    lost.map((listener) => {
      const { port, protocol } = listener.spec;
      const isOther = listeners.some(({ spec }) => spec.port === port && spec.protocol !== protocol);
      return [listener, isOther ? "ProtocolConflict" : "HostnameConflict"];
    }),
  );
}

function condition(type: Condition["type"], isTrue: boolean, reason: string, message: string): Condition {
  return { type, isTrue, reason, message };
}
