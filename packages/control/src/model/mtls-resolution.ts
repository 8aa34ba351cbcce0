import type { Diagnostics } from "@weft/base/diagnostics";
import type { ResourceOf } from "../config/resource.ts";
import { hasLabels } from "./host.ts";
import type { MeshOptions } from "./mesh-options.ts";
import type { MtlsMode } from "./security.ts";

/** What a workload's ports take: each its own mode where one is written for it. */
export interface WorkloadModes {
  readonly mode: MtlsMode;
  readonly ports: ReadonlyMap<number, MtlsMode>;
}

/** Which mutual TLS a workload demands: workload before namespace before mesh; `UNSET` means the next wider one. */
export class MtlsResolution {
  readonly #mesh: MtlsMode;
  readonly #namespaces = new Map<string, MtlsMode>();
  readonly #selective: readonly ResourceOf<"PeerAuthentication">[];
  readonly #root: string;

  constructor(
    resources: readonly ResourceOf<"PeerAuthentication">[],
    options: MeshOptions,
    diagnostics: Diagnostics,
  ) {
    this.#root = options.rootNamespace;
    this.#selective = resources.filter((r) => hasSelector(r));
    const wide = new Map<string, ResourceOf<"PeerAuthentication">>();
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

  of(workload: {
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
  }): WorkloadModes {
    const wider = this.#namespaces.get(workload.namespace) ?? this.#mesh;
    const own = this.#selective.find(
      (r) =>
        (r.namespace === workload.namespace || r.namespace === this.#root) &&
        hasLabels(workload.labels, r.spec.selector?.matchLabels),
    );
    const mode = modeOf(own) ?? wider;
    const ports = new Map<number, MtlsMode>();
    for (const [port, setting] of Object.entries(own?.spec.portLevelMtls ?? {})) {
      const portMode = setting.mode ?? "UNSET";
      ports.set(Number(port), portMode === "UNSET" ? mode : portMode);
    }
    return { mode, ports };
  }
}

function hasSelector(resource: ResourceOf<"PeerAuthentication">): boolean {
  return Object.keys(resource.spec.selector?.matchLabels ?? {}).length > 0;
}

function modeOf(resource: ResourceOf<"PeerAuthentication"> | undefined): MtlsMode | undefined {
  const mode = resource?.spec.mtls?.mode;
  return mode === undefined || mode === "UNSET" ? undefined : mode;
}
