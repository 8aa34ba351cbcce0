import type { ListenerSpec } from "../../config/gateway-api-specs.ts";

/** Why a listener cannot be told apart from another one, as the condition `Conflicted` has it. */
export type ListenerConflict = "ProtocolConflict" | "HostnameConflict";

/**
 * The listeners of a Gateway that are not served, of those it has itself and of
 * those of its ListenerSets, by precedence of who has written them: what goes
 * before has its place. Among listeners that one resource has written there is
 * no such order: of those that contend none is served.
 */
export function conflictsAmong(
  resources: readonly (readonly ListenerSpec[])[],
): ReadonlyMap<ListenerSpec, ListenerConflict> {
  const conflicts = new Map<ListenerSpec, ListenerConflict>();
  const accepted = new Places();
  for (const listeners of resources) {
    const left = listeners.filter((listener) => {
      const conflict = accepted.conflictOf(listener, 0);
      if (conflict) conflicts.set(listener, conflict);
      return !conflict;
    });
    const own = new Places();
    for (const listener of left) own.add(listener);
    for (const listener of left) {
      const conflict = own.conflictOf(listener, 1);
      if (conflict) conflicts.set(listener, conflict);
      else accepted.add(listener);
    }
  }
  return conflicts;
}

/** What is told apart by on a port: hosts of requests, server names, or nothing. */
const carried: Readonly<Record<string, string>> = { HTTP: "http", HTTPS: "tls", TLS: "tls" };

/** How many listeners carry what, and have which host, by port. */
class Places {
  readonly #carried = new Map<number, Map<string, number>>();
  readonly #hosts = new Map<string, number>();

  add({ port, protocol, hostname = "" }: ListenerSpec): void {
    const counts = this.#carried.get(port) ?? new Map<string, number>();
    this.#carried.set(port, increased(counts, carried[protocol] ?? protocol));
    increased(this.#hosts, `${port} ${hostname.toLowerCase()}`);
  }

  /** @param itself 1 where the listener is among these */
  conflictOf({ port, protocol, hostname = "" }: ListenerSpec, itself: 0 | 1): ListenerConflict | undefined {
    const counts = this.#carried.get(port);
    if (!counts) return undefined;
    if (counts.size > (counts.has(carried[protocol] ?? protocol) ? 1 : 0)) return "ProtocolConflict";
    const sharing = this.#hosts.get(`${port} ${hostname.toLowerCase()}`) ?? 0;
    return sharing > itself ? "HostnameConflict" : undefined;
  }
}

function increased<K>(counts: Map<K, number>, key: K): Map<K, number> {
  return counts.set(key, (counts.get(key) ?? 0) + 1);
}
