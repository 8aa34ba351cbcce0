import type { ResourceOf } from "../config/resource.ts";
import { coversHost, resolveHost } from "./host.ts";
import type { Mesh } from "./mesh.ts";
import type { Service } from "./service.ts";

/** Subset names by host, whoever their rule is for, from DestinationRules whether or not their service exists. */
export class WrittenSubsets {
  readonly #mesh: Pick<Mesh, "services" | "rules" | "options">;
  readonly #written: readonly ResourceOf<"DestinationRule">[];
  /** Services beside the first of their hostname. */
  readonly #further: ReadonlyMap<string, readonly Service[]>;
  readonly #byHost = new Map<string, ReadonlySet<string>>();
  #ofUnknown: ReadonlyMap<string, readonly ResourceOf<"DestinationRule">[]> | undefined;

  constructor(
    mesh: Pick<Mesh, "services" | "rules" | "options">,
    written: readonly ResourceOf<"DestinationRule">[],
  ) {
    this.#mesh = mesh;
    this.#written = written;
    const further = mesh.services.entries().filter(([key, { hostname }]) => key !== hostname);
    this.#further = Map.groupBy(
      further.map(([, service]) => service),
      ({ hostname }) => hostname,
    );
  }

  of(host: string): ReadonlySet<string> {
    let names = this.#byHost.get(host);
    if (!names) {
      names = new Set([...this.#ofServices(host), ...this.#ofRules(host)].map(({ name }) => name));
      this.#byHost.set(host, names);
    }
    return names;
  }

  /** Those of the last of several services that has any. */
  #ofServices(host: string): Service["subsets"] {
    const own = this.#mesh.services.get(host);
    const services = [...(own ? [own] : []), ...(this.#further.get(host) ?? [])];
    return services.findLast(({ subsets }) => subsets.length > 0)?.subsets ?? [];
  }

  *#ofRules(host: string): Generator<{ readonly name: string }> {
    const { services, rules } = this.#mesh;
    const isKnown = services.has(host);
    for (const rule of rules.values()) {
      if (rule.host === host || (isKnown && rule.host.startsWith("*") && coversHost(rule.host, host))) {
        yield* rule.subsets;
      }
    }
    if (isKnown) return;
    for (const { spec } of this.#written.length > 0 ? this.#unknown(host) : []) yield* spec.subsets ?? [];
  }

  #unknown(host: string): readonly ResourceOf<"DestinationRule">[] {
    this.#ofUnknown ??= Map.groupBy(this.#written, ({ spec, namespace }) =>
      resolveHost(spec.host, namespace, this.#mesh.options),
    );
    return this.#ofUnknown.get(host) ?? [];
  }
}
