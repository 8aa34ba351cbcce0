import { type ResourceOf, resourceKey } from "../../config/resource.ts";
import type { GatewayRole } from "../gateway.ts";
import type { Mesh, MeshWorkload } from "../mesh.ts";
import { isOwnClass } from "./api-gateways.ts";
import type { ApiListener } from "./api-listeners.ts";
import type { GatewayAttachments } from "./attach-to-gateways.ts";
import { assignedAddresses, type GatewayAddress } from "./gateway-addresses.ts";
import { listenerSetStatus, refusedSetStatus } from "./listener-set-status.ts";
import { type ListenerStatus, listenerStatus } from "./listener-status.ts";
import { type Condition, condition } from "./route-status.ts";
import type { ServedGateway } from "./served-gateways.ts";

/** What became of a Gateway, of a ListenerSet, or of a GatewayClass, which has conditions alone. */
export interface GatewayStatus {
  readonly conditions: readonly Condition[];
  /** Of a Gateway. */
  readonly addresses?: readonly GatewayAddress[];
  readonly listeners: readonly ListenerStatus[];
  /** Of a Gateway: how many of them are accepted. */
  readonly attachedListenerSets?: number;
}

/** By resource key. */
export type GatewayStatuses = ReadonlyMap<string, GatewayStatus>;

export function gatewayStatuses(
  classes: readonly ResourceOf<"GatewayClass">[],
  gateways: readonly ServedGateway[],
  attachments: GatewayAttachments,
  mesh: Pick<Mesh, "workloads" | "services">,
): GatewayStatuses {
  const statuses = new Map<string, GatewayStatus>();
  for (const one of classes.filter(isOwnClass)) {
    const accepted = condition("Accepted", true, "Accepted", "Weft serves Gateways of this class");
    statuses.set(resourceKey(one), { conditions: [accepted], listeners: [] });
  }
  const running = [...mesh.workloads.values()].flatMap((workload) => {
    const { gateway: role } = workload;
    return role ? [{ workload, keys: serverKeys(role) }] : [];
  });
  for (const served of gateways) {
    const { gateway, sets, refusedSets } = served;
    const own = running.filter(({ keys }) => served.listeners.some((one) => keys.has(keyOf(one))));
    const proxies = own.map(({ workload }) => workload);
    const byOwner = Map.groupBy(served.listeners, ({ owner }) => owner);
    const statusesOf = (owner: ApiListener["owner"]) =>
      (byOwner.get(owner) ?? []).map((listener) => ({
        listener,
        status: listenerStatus(
          listener,
          attachments.count(listener),
          own.some(({ keys }) => keys.has(keyOf(listener))),
        ),
      }));
    const ofSets = sets.map((set) => [set, listenerSetStatus(served, statusesOf(set))] as const);
    for (const [set, status] of ofSets) statuses.set(resourceKey(set), status);
    for (const set of refusedSets) statuses.set(resourceKey(set), refusedSetStatus(set.namespace));
    const attached = ofSets.filter(([, { conditions }]) =>
      conditions.some(({ type, isTrue }) => type === "Accepted" && isTrue),
    );
    const listeners = statusesOf(gateway).map(({ status }) => status);
    statuses.set(resourceKey(gateway), statusOf(served, listeners, attached.length, proxies, mesh));
  }
  return statuses;
}

const keyOf = ({ written }: ApiListener) => written.server.gateway;

function serverKeys({ listeners }: GatewayRole): ReadonlySet<string> {
  return new Set(listeners.flatMap(({ servers }) => servers.map(({ gateway }) => gateway)));
}

function statusOf(
  served: ServedGateway,
  listeners: readonly ListenerStatus[],
  attachedListenerSets: number,
  proxies: readonly MeshWorkload[],
  mesh: Pick<Mesh, "services">,
): GatewayStatus {
  const { spec } = served.gateway;
  const { addresses, problem, conditions } = assignedAddresses(spec.addresses ?? [], proxies, mesh);
  return {
    conditions: [
      acceptance(served, listeners),
      programming(served, proxies.length, problem),
      references(served, listeners),
      ...conditions,
      ...insecurity(served),
    ],
    addresses,
    listeners,
    attachedListenerSets,
  };
}

const isSaid = (wanted: Condition["type"], { conditions }: ListenerStatus) =>
  conditions.some(({ type, isTrue }) => type === wanted && isTrue);

function acceptance({ refusal }: ServedGateway, listeners: readonly ListenerStatus[]): Condition {
  if (refusal) return condition("Accepted", false, refusal.reason, refusal.message);
  const lost = listeners.filter((listener) => !isSaid("Accepted", listener)).map(({ name }) => name);
  if (lost.length === 0) return condition("Accepted", true, "Accepted", "every listener is accepted");
  const isNone = lost.length === listeners.length;
  const message = isNone ? "no listener is accepted" : `not accepted: ${lost.join(", ")}`;
  return condition("Accepted", !isNone, "ListenersNotValid", message);
}

function programming(
  { refusal, gateway }: ServedGateway,
  running: number,
  problem: ReturnType<typeof assignedAddresses>["problem"],
): Condition {
  if (refusal) return condition("Programmed", false, "Invalid", "it is not accepted");
  if (running === 0) {
    const message = `no gateway is running: weft run --gateway ${gateway.name}`;
    return condition("Programmed", false, "Pending", message);
  }
  if (problem) return condition("Programmed", false, problem.reason, problem.message);
  return condition("Programmed", true, "Programmed", `${running} running`);
}

function references({ backendFault }: ServedGateway, listeners: readonly ListenerStatus[]): Condition {
  if (backendFault) {
    const { reason, path, message } = backendFault;
    return condition("ResolvedRefs", false, reason, `${path}: ${message}`);
  }
  const lost = listeners.filter((listener) => !isSaid("ResolvedRefs", listener)).map(({ name }) => name);
  return lost.length > 0
    ? condition("ResolvedRefs", false, "ListenersNotResolved", `see listeners ${lost.join(", ")}`)
    : condition("ResolvedRefs", true, "ResolvedRefs", "all are known");
}

/** Said while anything lets in clients that do not verify, and only then. */
function insecurity({ gateway }: ServedGateway): Condition[] {
  const { default: all, perPort = [] } = gateway.spec.tls?.frontend ?? {};
  const modes = [all, ...perPort.map(({ tls }) => tls)].map((one) => one?.validation?.mode);
  if (!modes.includes("AllowInsecureFallback")) return [];
  const message = "clients are let in whose certificate does not verify, or who have none";
  return [condition("InsecureFrontendValidationMode", true, "ConfigurationChanged", message)];
}
