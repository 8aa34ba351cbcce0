import type { Diagnostic } from "@weft/base/diagnostics";
import type { ConfigResource } from "../config/resource.ts";
import { buildGround, type MeshGround, routeMesh } from "../model/build-mesh.ts";
import { hostnamesNeedingAddress } from "../model/build-services.ts";
import type { Mesh } from "../model/mesh.ts";
import type { MeshSettings } from "../model/options.ts";
import { shareUnchanged } from "../model/share-unchanged.ts";
import { type HealthBasis, servedBy, withHealth } from "../model/with-health.ts";
import type { Workload } from "../registry/workload.ts";
import type { WorkloadRegistry } from "../registry/workload-registry.ts";
import type { ConfigSet } from "./config-set.ts";
import type { VirtualAddresses } from "./virtual-addresses.ts";

/** The mesh as configuration and registrations make it, and what is wrong with it. */
export interface BuiltMesh {
  readonly mesh: Mesh;
  /** Of the model and of the files it came from. */
  readonly diagnostics: readonly Diagnostic[];
}

/** The mesh with all that it was made from. */
interface Made extends BuiltMesh, HealthBasis {
  readonly resources: readonly ConfigResource[];
  readonly workloads: readonly Workload[];
  /** What the model says, without what was found in the files. */
  readonly findings: readonly Diagnostic[];
  readonly groundFindings: readonly Diagnostic[];
}

/** Builds the mesh from what is in force now, or from what would be. */
export class MeshPipeline {
  readonly #config: ConfigSet;
  readonly #registry: WorkloadRegistry;
  readonly #addresses: VirtualAddresses;
  readonly #settings: MeshSettings;
  #current: Made | undefined;

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
    this.rebuild();
  }

  get current(): BuiltMesh {
    return this.#current!;
  }

  /** Unchanged parts of the mesh are those of the mesh before; where only routes have changed, they alone are built. */
  rebuild(): void {
    const { resources, diagnostics } = this.#config;
    const { workloads } = this.#registry;
    const last = this.#current;
    const kept = this.#keptGround(resources);
    const ground = kept ?? this.#ground(resources, (names) => this.#addresses.assign(names));
    const built = routeMesh(ground, resources);
    this.#current = {
      mesh: shareUnchanged(last?.mesh, built.mesh),
      diagnostics: [...diagnostics, ...built.diagnostics],
      drafts: ground.drafts,
      served: kept && last ? last.served : servedBy(ground.drafts),
      resources,
      workloads,
      findings: built.diagnostics,
      groundFindings: ground.diagnostics,
    };
  }

  /** Follows nothing but the health of these workloads; false where that takes a rebuild. */
  followHealth(workloadIds: Iterable<string>): boolean {
    const changed = [...workloadIds].map((id) => this.#registry.get(id));
    if (changed.includes(undefined)) return false;
    const next = withHealth(
      this.#current!,
      changed.filter((workload) => workload !== undefined),
    );
    if (next) this.#current = { ...next, workloads: this.#registry.workloads };
    return next !== undefined;
  }

  /** What the model would say to other resources; nothing is changed. */
  check(resources: readonly ConfigResource[]): readonly Diagnostic[] {
    const kept = this.#keptGround(resources);
    if (kept && isSameList(resources, this.#current!.resources)) return this.#current!.findings;
    const ground = kept ?? this.#ground(resources, (names) => this.#addresses.preview(names));
    return routeMesh(ground, resources).diagnostics;
  }

  /** The ground of the mesh in force, where these resources would make the same. */
  #keptGround(resources: readonly ConfigResource[]): MeshGround | undefined {
    const last = this.#current;
    if (!last || last.workloads !== this.#registry.workloads) return undefined;
    if (!isSameList(withoutRoutes(resources), withoutRoutes(last.resources))) return undefined;
    return { mesh: last.mesh, drafts: last.drafts, diagnostics: last.groundFindings };
  }

  #ground(
    resources: readonly ConfigResource[],
    addressesOf: (hostnames: readonly string[]) => ReadonlyMap<string, string>,
  ): MeshGround {
    const { workloads } = this.#registry;
    const vips = addressesOf(hostnamesNeedingAddress(resources, workloads, this.#settings));
    return buildGround({ resources, workloads, vips, options: this.#settings });
  }
}

function withoutRoutes(resources: readonly ConfigResource[]): readonly ConfigResource[] {
  return resources.filter(({ kind }) => kind !== "VirtualService");
}

function isSameList(a: readonly object[], b: readonly object[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}
