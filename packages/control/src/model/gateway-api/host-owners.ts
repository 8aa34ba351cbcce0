import type { ApiListener } from "./api-listeners.ts";

/**
 * Which of a Gateway's listeners on one port a request in plain HTTP is for: the
 * one with the most specific hostname, and no other, whatever hostnames the
 * routes of others name. A listener that takes every name below `*.example.com`
 * has no part in `a.example.com` where another one is there for that.
 */
export class HostOwners {
  /** Hosts of listeners by Gateway and port. */
  readonly #hosts = new Map<string, Set<string>>();

  constructor(listeners: readonly ApiListener[]) {
    for (const listener of listeners) {
      if (listener.spec.protocol !== "HTTP" || listener.conflict) continue;
      const key = placeOf(listener);
      const hosts = this.#hosts.get(key) ?? new Set<string>();
      this.#hosts.set(key, hosts.add(hostOf(listener)));
    }
  }

  /** Whether requests for a host that a listener covers are its own. */
  owns(listener: ApiListener, host: string): boolean {
    const hosts = this.#hosts.get(placeOf(listener));
    if (listener.spec.protocol !== "HTTP" || !hosts) return true;
    const owner = patternsOf(host).find((pattern) => hosts.has(pattern));
    return owner === hostOf(listener);
  }
}

const hostOf = ({ written }: ApiListener) => written.server.hosts[0]!.host;

function placeOf({ gateway, spec }: ApiListener): string {
  return `${gateway.namespace}/${gateway.name} ${spec.port}`;
}

/** All that cover a host, the most specific first: `a.b`, `*.b`, `*`. */
function patternsOf(host: string): string[] {
  if (host === "*") return [host];
  const labels = host.split(".");
  const above = labels.slice(1).map((_, i) => `*.${labels.slice(i + 1).join(".")}`);
  return [...new Set([host, ...above, "*"])];
}
