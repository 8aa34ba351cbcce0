import type { Diagnostic } from "@weft/base/diagnostics";
import type { ConfigResource } from "../config/resource.ts";
import { buildMesh } from "../model/build-mesh.ts";
import { hostnamesNeedingAddress } from "../model/build-services.ts";
import type { Mesh } from "../model/mesh.ts";
import type { MeshSettings } from "../model/options.ts";
import { shareUnchanged } from "../model/share-unchanged.ts";
import { type HealthBasis, servedBy, withHealth } from "../model/with-health.ts";
import type { WorkloadRegistry } from "../registry/workload-registry.ts";
import type { ConfigSet } from "./config-set.ts";
import type { VirtualAddresses } from "./virtual-addresses.ts";

/** The mesh as configuration and registrations make it, and what is wrong with it. */
export interface BuiltMesh {
  readonly mesh: Mesh;
  /** Of the model and of the files it came from. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Builds the mesh from what is in force now, or from what would be. */
export class MeshPipeline {
  readonly #config: ConfigSet;
  readonly #registry: WorkloadRegistry;
  readonly #addresses: VirtualAddresses;
  readonly #settings: MeshSettings;
  #current: BuiltMesh & HealthBasis;

  constructor(options: {
    readonly config: ConfigSet;
    readonly registry: WorkloadRegistry;
    readonly addresses: VirtualAddresses;
    readonly settings: MeshSettings;
  }) {
    this.#config = options.config;
    this.#registry = options.registry;
    this.#addresses = options.addresses;
    this.#settings = options.settings;
    this.#current = this.rebuild();
  }

  get current(): BuiltMesh {
    return this.#current;
  }

  /** Unchanged parts of the mesh are those of the mesh before. */
  rebuild(): BuiltMesh & HealthBasis {
    const { resources, diagnostics } = this.#config;
    const { workloads } = this.#registry;
    const vips = this.#addresses.assign(hostnamesNeedingAddress(resources, workloads, this.#settings));
    const built = buildMesh({ resources, workloads, vips, options: this.#settings });
    this.#current = {
      mesh: shareUnchanged(this.#current?.mesh, built.mesh),
      diagnostics: [...diagnostics, ...built.diagnostics],
      drafts: built.drafts,
      served: servedBy(built.drafts),
    };
    return this.#current;
  }

  /** Follows nothing but the health of these workloads; false where that takes a rebuild. */
  followHealth(workloadIds: Iterable<string>): boolean {
    const changed = [...workloadIds].map((id) => this.#registry.get(id));
    if (changed.includes(undefined)) return false;
    const next = withHealth(
      this.#current,
      changed.filter((workload) => workload !== undefined),
    );
    if (next) this.#current = next;
    return next !== undefined;
  }

  /** What the model would say to other resources; nothing is changed. */
  check(resources: readonly ConfigResource[]): readonly Diagnostic[] {
    const { workloads } = this.#registry;
    const vips = this.#addresses.preview(hostnamesNeedingAddress(resources, workloads, this.#settings));
    return buildMesh({ resources, workloads, vips, options: this.#settings }).diagnostics;
  }
}
