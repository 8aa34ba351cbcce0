/** One entry of the control plane's name table. */
export interface MeshName {
  /** Fully qualified, or a wildcard such as `*.example.com`. */
  readonly host: string;
  readonly addresses: readonly string[];
  /** Service name, e.g. `reviews`; "" where the host has no short form. */
  readonly shortName: string;
  readonly namespace: string;
}

/**
 * Every spelling under which an application may ask for a mesh host. Immutable:
 * a new table is a new `MeshNames`.
 *
 * For a service these are `reviews` (from its own namespace), `reviews.default`,
 * `reviews.default.svc` and the full name; each of them also with a search
 * domain of the host appended, because a stub resolver tries those first. An
 * instance that has a name below its service's is found likewise. Of
 * thousands of services only the full names are kept: the others are made into
 * those when somebody asks.
 */
export class MeshNames {
  readonly #exact = new Map<string, Entry>();
  readonly #wildcards = new Map<string, readonly string[]>();
  /** What full names of services end with behind `.svc`, the leading dot included: mostly one. */
  readonly #suffixes = new Set<string>();
  readonly #searchDomains: readonly string[];
  readonly #ownNamespace: string;

  constructor(names: Iterable<MeshName>, ownNamespace: string, searchDomains: readonly string[]) {
    this.#searchDomains = searchDomains.map((domain) => domain.toLowerCase().replace(/\.$/, ""));
    this.#ownNamespace = ownNamespace;
    for (const name of names) {
      const { addresses } = name;
      const host = name.host.toLowerCase();
      if (host.startsWith("*.")) {
        this.#wildcards.set(host.slice(2), addresses);
        continue;
      }
      const suffix = suffixOf(host, name);
      if (suffix !== undefined) this.#suffixes.add(suffix);
      this.#exact.set(host, suffix === undefined ? { addresses } : addresses);
    }
  }

  /** The addresses of a name (possibly none), or undefined when it is not the mesh's. `name` is lower case. */
  resolve(name: string): readonly string[] | undefined {
    return this.#find(name) ?? this.#findBySearchDomain(name) ?? this.#findWildcard(name);
  }

  #find(name: string): readonly string[] | undefined {
    const entry = this.#exact.get(name);
    if (entry) return "addresses" in entry ? entry.addresses : entry;
    const hasSvc = name.endsWith(".svc");
    const service = hasSvc ? name.slice(0, -4) : name;
    const dots = countDots(service);
    // An instance of a service has one name more: `web-0.web`, `web-0.web.default`.
    if (dots > 2 || (dots === 0 && hasSvc)) return undefined;
    const whole = dots > 0 ? this.#findFull(service) : undefined;
    return whole ?? (dots < 2 && !hasSvc ? this.#findFull(`${service}.${this.#ownNamespace}`) : undefined);
  }

  #findFull(scoped: string): readonly string[] | undefined {
    for (const suffix of this.#suffixes) {
      const found = this.#exact.get(`${scoped}.svc${suffix}`);
      if (found && !("addresses" in found)) return found;
    }
    return undefined;
  }

  #findBySearchDomain(name: string): readonly string[] | undefined {
    for (const domain of this.#searchDomains) {
      if (domain === "" || !name.endsWith(`.${domain}`)) continue;
      const found = this.#find(name.slice(0, -domain.length - 1));
      if (found) return found;
    }
    return undefined;
  }

  #findWildcard(name: string): readonly string[] | undefined {
    for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", dot + 1)) {
      const found = this.#wildcards.get(name.slice(dot + 1));
      if (found) return found;
    }
    return undefined;
  }
}

/** Addresses of a service, which has shorter names; or of a host that has none. */
type Entry = readonly string[] | { readonly addresses: readonly string[] };

/** Undefined where the host has no short form. */
function suffixOf(host: string, { shortName, namespace }: MeshName): string | undefined {
  if (shortName === "" || namespace === "") return undefined;
  const start = `${shortName}.${namespace}.svc`.toLowerCase();
  return host.startsWith(`${start}.`) ? host.slice(start.length) : undefined;
}

function countDots(text: string): number {
  let dots = 0;
  for (let at = text.indexOf("."); at >= 0; at = text.indexOf(".", at + 1)) dots += 1;
  return dots;
}
