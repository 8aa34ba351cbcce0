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
 * Every spelling under which an application may ask for a mesh host, resolved
 * in one look-up. Immutable: a new table is a new `MeshNames`.
 *
 * For a service these are `reviews` (from its own namespace), `reviews.default`,
 * `reviews.default.svc` and the full name; each of them also with a search
 * domain of the host appended, because a stub resolver tries those first.
 */
export class MeshNames {
  readonly #exact = new Map<string, readonly string[]>();
  readonly #wildcards = new Map<string, readonly string[]>();
  readonly #searchDomains: readonly string[];

  constructor(names: Iterable<MeshName>, ownNamespace: string, searchDomains: readonly string[]) {
    this.#searchDomains = searchDomains.map((domain) => domain.toLowerCase().replace(/\.$/, ""));
    const short = new Map<string, readonly string[]>();
    for (const name of names) {
      const host = name.host.toLowerCase();
      if (host.startsWith("*.")) {
        this.#wildcards.set(host.slice(2), name.addresses);
        continue;
      }
      this.#exact.set(host, name.addresses);
      for (const form of shortForms(name, ownNamespace)) short.set(form, name.addresses);
    }
    for (const [form, addresses] of short) if (!this.#exact.has(form)) this.#exact.set(form, addresses);
  }

  /** The addresses of a name (possibly none), or undefined when it is not the mesh's. `name` is lower case. */
  resolve(name: string): readonly string[] | undefined {
    return this.#find(name) ?? this.#findBySearchDomain(name) ?? this.#findWildcard(name);
  }

  #find(name: string): readonly string[] | undefined {
    return this.#exact.get(name);
  }

  #findBySearchDomain(name: string): readonly string[] | undefined {
    for (const domain of this.#searchDomains) {
      if (domain === "" || !name.endsWith(`.${domain}`)) continue;
      const found = this.#exact.get(name.slice(0, -domain.length - 1));
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

function shortForms(name: MeshName, ownNamespace: string): string[] {
  if (name.shortName === "" || name.namespace === "") return [];
  const short = name.shortName.toLowerCase();
  const withNamespace = `${short}.${name.namespace.toLowerCase()}`;
  const forms = [withNamespace, `${withNamespace}.svc`];
  return name.namespace === ownNamespace ? [short, ...forms] : forms;
}
