import type { Diagnostic } from "@weft/base/diagnostics";
import type { ConfigResource } from "../config/resource.ts";
import { buildMesh } from "../model/build-mesh.ts";
import { hostnamesNeedingAddress } from "../model/build-services.ts";
import type { Mesh } from "../model/mesh.ts";
import type { MeshSettings } from "../model/options.ts";
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
  #current: BuiltMesh;

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

  rebuild(): BuiltMesh {
    const { resources, diagnostics } = this.#config;
    const { workloads } = this.#registry;
    const vips = this.#addresses.assign(hostnamesNeedingAddress(resources, workloads, this.#settings));
    const built = buildMesh({ resources, workloads, vips, options: this.#settings });
    this.#current = { mesh: built.mesh, diagnostics: [...diagnostics, ...built.diagnostics] };
    return this.#current;
  }

  /** What the model would say to other resources; nothing is changed. */
  check(resources: readonly ConfigResource[]): readonly Diagnostic[] {
    const { workloads } = this.#registry;
    const vips = this.#addresses.preview(hostnamesNeedingAddress(resources, workloads, this.#settings));
    return buildMesh({ resources, workloads, vips, options: this.#settings }).diagnostics;
  }
}
