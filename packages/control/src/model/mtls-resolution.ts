import type { Diagnostics } from "@weft/base/diagnostics";
import { KeptFor } from "@weft/base/kept-for";
import type { ResourceOf } from "../config/resource.ts";
import type { MeshOptions } from "./mesh-options.ts";
import { PolicyIndex } from "./policy-target.ts";
import type { MtlsMode } from "./security.ts";

type PeerAuthentication = ResourceOf<"PeerAuthentication">;

/** What a workload's ports take: each its own mode where one is written for it. */
export interface WorkloadModes {
  readonly mode: MtlsMode;
  readonly ports: ReadonlyMap<number, MtlsMode>;
}

/** Which mutual TLS a workload demands: workload before namespace before mesh; `UNSET` means the next wider one. */
export class MtlsResolution {
  readonly #mesh: MtlsMode;
  readonly #namespaces = new Map<string, MtlsMode>();
  readonly #selective: PolicyIndex<PeerAuthentication>;
  readonly #root: string;

  constructor(resources: readonly PeerAuthentication[], options: MeshOptions, diagnostics: Diagnostics) {
    this.#root = options.rootNamespace;
    this.#selective = new PolicyIndex(resources.filter(hasSelector), options);
    const wide = new Map<string, PeerAuthentication>();
    for (const resource of resources) {
      if (hasSelector(resource)) continue;
      const first = wide.get(resource.namespace);
      if (first) {
        const scope = resource.namespace === this.#root ? "the mesh" : `namespace ${resource.namespace}`;
        const message = `two PeerAuthentications are for all of ${scope}: "${first.name}" applies, this one does not`;
        diagnostics.error(
          "W2106",
          resource.origins.at("metadata.name"),
          message,
          "remove one, or add a selector",
        );
        continue;
      }
      wide.set(resource.namespace, resource);
    }
    this.#mesh = modeOf(wide.get(this.#root)) ?? options.defaults.mtlsMode;
    for (const [namespace, resource] of wide) this.#namespaces.set(namespace, modeOf(resource) ?? this.#mesh);
  }

  /** The very same object for workloads that the same is written for. */
  of(workload: {
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
  }): WorkloadModes {
    const wider = this.#namespaces.get(workload.namespace) ?? this.#mesh;
    const [own] = this.#selective.of(workload);
    return own ? selected.get(own, [wider], () => modesOf(own, wider)) : plain[wider];
  }
}

const plain: Readonly<Record<MtlsMode, WorkloadModes>> = {
  STRICT: { mode: "STRICT", ports: new Map() },
  PERMISSIVE: { mode: "PERMISSIVE", ports: new Map() },
  DISABLE: { mode: "DISABLE", ports: new Map() },
};

const selected = new KeptFor<PeerAuthentication, WorkloadModes>();

function modesOf(own: PeerAuthentication, wider: MtlsMode): WorkloadModes {
  const mode = modeOf(own) ?? wider;
  const ports = new Map<number, MtlsMode>();
  for (const [port, setting] of Object.entries(own.spec.portLevelMtls ?? {})) {
    const portMode = setting.mode ?? "UNSET";
    ports.set(Number(port), portMode === "UNSET" ? mode : portMode);
  }
  return { mode, ports };
}

function hasSelector(resource: PeerAuthentication): boolean {
  return Object.keys(resource.spec.selector?.matchLabels ?? {}).length > 0;
}

function modeOf(resource: PeerAuthentication | undefined): MtlsMode | undefined {
  const mode = resource?.spec.mtls?.mode;
  return mode === undefined || mode === "UNSET" ? undefined : mode;
}
