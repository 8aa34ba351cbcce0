import type { Diagnostics } from "@weft/base/diagnostics";
import { KeptFor } from "@weft/base/kept-for";
import type { ResourceOf } from "../config/resource.ts";
import type { EgressListenerSpec } from "../config/service-specs.ts";
import type { Workload } from "../registry/workload.ts";
import { resolveHost } from "./host.ts";
import { SelectorIndex } from "./label-index.ts";
import type { MeshOptions } from "./mesh-options.ts";
import { namedProtocol } from "./protocol.ts";
import { provenanceOf } from "./provenance.ts";
import type { EgressListener, Scope } from "./scope.ts";

type Sidecar = ResourceOf<"Sidecar">;

const scopes = new KeptFor<Sidecar, Scope>();

/** The scopes of those Sidecars that say what may be called, by `namespace/name`. */
export function buildScopes(sidecars: readonly Sidecar[], options: MeshOptions): Map<string, Scope> {
  const built = new Map<string, Scope>();
  for (const resource of sidecars) {
    const key = scopeKey(resource);
    if (key === undefined) continue;
    built.set(
      key,
      scopes.get(resource, [options], () => scopeOf(resource, options)),
    );
  }
  return built;
}

/** Undefined for a Sidecar that leaves what may be called as it is. */
export function scopeKey({ namespace, name, spec }: Sidecar): string | undefined {
  return spec.egress?.length || spec.outboundTrafficPolicy ? `${namespace}/${name}` : undefined;
}

function scopeOf(resource: Sidecar, options: MeshOptions): Scope {
  const { egress = [], outboundTrafficPolicy: policy } = resource.spec;
  const { host, port, subset = "" } = policy?.egressProxy ?? {};
  return {
    egress: isEverything(egress) ? [] : egress.map(egressListener),
    outbound: policy && {
      mode: policy.mode ?? "REGISTRY_ONLY",
      egressProxy:
        host === undefined
          ? undefined
          : { host: resolveHost(host, resource.namespace, options), subset, port: port!.number, weight: 1 },
    },
    source: provenanceOf(resource),
  };
}

function isEverything([first, ...rest]: readonly EgressListenerSpec[]): boolean {
  return rest.length === 0 && !first?.port && (first?.hosts ?? ["*/*"]).includes("*/*");
}

function egressListener({ port, bind, captureMode, hosts = [] }: EgressListenerSpec): EgressListener {
  return {
    port: port && { number: port.number!, protocol: namedProtocol(port.protocol) },
    bind: bind || undefined,
    isCaptured: captureMode !== "NONE",
    hosts: hosts.flatMap((text) => {
      const slash = text.indexOf("/");
      const namespace = text.slice(0, slash);
      return namespace === "~" ? [] : { namespace, host: text.slice(slash + 1).toLowerCase() };
    }),
  };
}

/**
 * Which Sidecar is for a workload: one of its namespace that selects it, else the
 * one for all of its namespace, else the root namespace's for all.
 */
export class SidecarChoice {
  readonly #selective: SelectorIndex<Sidecar>;
  readonly #wide = new Map<string, Sidecar>();
  readonly #root: string;

  constructor(sidecars: readonly Sidecar[], { rootNamespace }: MeshOptions, diagnostics: Diagnostics) {
    this.#root = rootNamespace;
    this.#selective = new SelectorIndex(sidecars.filter(isSelective), ({ namespace, spec }) => [
      { namespace, labels: spec.workloadSelector?.labels },
    ]);
    for (const resource of sidecars) {
      if (isSelective(resource)) continue;
      const { namespace, origins } = resource;
      const first = this.#wide.get(namespace);
      if (!first) {
        this.#wide.set(namespace, resource);
        continue;
      }
      const message = `two Sidecars are for all of namespace ${namespace}: "${first.name}" applies, this one does not`;
      diagnostics.error(
        "IST0111",
        origins.at("metadata.name"),
        message,
        "remove one, or add a workloadSelector",
      );
    }
  }

  of({ namespace, labels }: Pick<Workload, "namespace" | "labels">): ChosenSidecar {
    const [first, ...rivals] = this.#selective.choosing(labels, namespace);
    return { sidecar: first ?? this.#wide.get(namespace) ?? this.#wide.get(this.#root), rivals };
  }
}

/** The Sidecar that is for a workload, and others that select it in vain. */
export interface ChosenSidecar {
  readonly sidecar: Sidecar | undefined;
  readonly rivals: readonly Sidecar[];
}

function isSelective({ spec }: Sidecar): boolean {
  return Object.keys(spec.workloadSelector?.labels ?? {}).length > 0;
}
