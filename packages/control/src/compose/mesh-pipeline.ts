import type { Diagnostic } from "@weft/base/diagnostics";
import type { ConfigResource } from "../config/resource.ts";
import { buildGround, type MeshGround, routeMesh, routingKinds } from "../model/build-mesh.ts";
import { hostnamesNeedingAddress } from "../model/build-services.ts";
import type { RouteStatuses } from "../model/gateway-api/attach-routes.ts";
import type { GatewayStatuses } from "../model/gateway-api/gateway-status.ts";
import type { PolicyStatuses } from "../model/gateway-api/policy-status.ts";
import type { KeySets } from "../model/key-source.ts";
import type { Mesh } from "../model/mesh.ts";
import type { MeshSettings } from "../model/options.ts";
import { ServiceSelectors } from "../model/service-selectors.ts";
import { shareUnchanged } from "../model/share-unchanged.ts";
import { withWorkloads } from "../model/with-workloads.ts";
import { servedBy, type WorkloadBasis } from "../model/workload-basis.ts";
import type { Workload } from "../registry/workload.ts";
import type { WorkloadRegistry } from "../registry/workload-registry.ts";
import type { ConfigSet } from "./config-set.ts";
import type { VirtualAddresses } from "./virtual-addresses.ts";

/** The mesh as configuration and registrations make it, and what is wrong with it. */
export interface BuiltMesh {
  readonly mesh: Mesh;
  /** Of the model and of the files it came from. */
  readonly diagnostics: readonly Diagnostic[];
  /** What became of the Gateway API's routes. */
  readonly routes: RouteStatuses;
  /** And of its Gateways. */
  readonly gateways: GatewayStatuses;
  /** And of its policies. */
  readonly policyStatuses: PolicyStatuses;
}

/** The mesh with all that it was made from. */
interface Made extends BuiltMesh, WorkloadBasis {
  readonly configured: readonly ConfigResource[];
  readonly keySets: KeySets;
  /** What the model says, without what was found in the files. */
  readonly findings: readonly Diagnostic[];
  readonly groundFindings: readonly Diagnostic[];
}

/** Builds the mesh from what is in force now, or from what would be. */
export class MeshPipeline {
  readonly #config: ConfigSet;
  readonly #registry: WorkloadRegistry;
  readonly #addresses: VirtualAddresses;
  readonly #keys: { readonly current: KeySets };
  readonly #settings: MeshSettings;
  #current: Made | undefined;

  constructor(options: {
    readonly config: ConfigSet;
    readonly registry: WorkloadRegistry;
    readonly addresses: VirtualAddresses;
    readonly keys: { readonly current: KeySets };
    readonly settings: MeshSettings;
  }) {
    this.#config = options.config;
    this.#registry = options.registry;
    this.#addresses = options.addresses;
    this.#keys = options.keys;
    this.#settings = options.settings;
    this.rebuild();
  }

  get current(): BuiltMesh {
    return this.#current!;
  }

  /** Hostnames of the services that each workload serves, by its id. */
  get served(): ReadonlyMap<string, readonly string[]> {
    return this.#current!.served;
  }

  /** Unchanged parts of the mesh are those of the mesh before; where only routes have changed, they alone are built. */
  rebuild(): void {
    const { resources: configured, diagnostics } = this.#config;
    const registered = this.#registry.workloads;
    const last = this.#current;
    const kept = this.#keptGround(configured);
    const ground = kept ?? this.#ground(configured, (names) => this.#addresses.assign(names));
    const built = routeMesh(ground, configured);
    const { drafts, resources, mtls, policies, sidecars, groups } = ground;
    this.#current = {
      mesh: shareUnchanged(last?.mesh, built.mesh),
      diagnostics: [...diagnostics, ...built.diagnostics],
      drafts,
      resources,
      mtls,
      policies,
      sidecars,
      groups,
      selectors: kept && last ? last.selectors : new ServiceSelectors(resources, built.mesh.options),
      served: kept && last ? last.served : servedBy(drafts),
      configured,
      registered,
      keySets: this.#keys.current,
      routes: built.routes,
      gateways: built.gateways,
      policyStatuses: ground.policyStatuses,
      findings: built.diagnostics,
      groundFindings: ground.diagnostics,
    };
  }

  /** Follows workloads that came, went or changed; false where that takes a rebuild. */
  follow(): boolean {
    const next = withWorkloads(this.#current!, this.#registry.workloads);
    if (next) this.#current = next;
    return next !== undefined;
  }

  /** Why a workload cannot be what it registers as; undefined where it can. */
  refusal(workload: Workload): string | undefined {
    return this.#current!.groups.refusal(workload);
  }

  /** What the model would say to other resources; nothing is changed. */
  check(resources: readonly ConfigResource[]): readonly Diagnostic[] {
    return this.preview(resources).diagnostics;
  }

  /** The mesh that other resources would make, and what the model says to it; nothing is changed. */
  preview(resources: readonly ConfigResource[]): Pick<BuiltMesh, "mesh" | "diagnostics"> {
    const kept = this.#keptGround(resources);
    if (kept && isSameList(resources, this.#current!.configured)) {
      return { mesh: this.#current!.mesh, diagnostics: this.#current!.findings };
    }
    const ground = kept ?? this.#ground(resources, (names) => this.#addresses.preview(names));
    return routeMesh(ground, resources);
  }

  /** The ground of the mesh in force, where these resources would make the same. */
  #keptGround(resources: readonly ConfigResource[]): MeshGround | undefined {
    const last = this.#current;
    if (!last || last.registered !== this.#registry.workloads) return undefined;
    if (last.keySets !== this.#keys.current) return undefined;
    if (!isSameList(withoutRoutes(resources), withoutRoutes(last.configured))) return undefined;
    return { ...last, diagnostics: last.groundFindings };
  }

  #ground(
    resources: readonly ConfigResource[],
    addressesOf: (hostnames: readonly string[]) => ReadonlyMap<string, string>,
  ): MeshGround {
    const workloads = [...this.#registry.workloads.values()];
    const vips = addressesOf(hostnamesNeedingAddress(resources, workloads, this.#settings));
    const keySets = this.#keys.current;
    return buildGround({ resources, workloads, vips, keySets, options: this.#settings });
  }
}

function withoutRoutes(resources: readonly ConfigResource[]): readonly ConfigResource[] {
  return resources.filter(({ kind }) => !routingKinds.has(kind));
}

function isSameList(a: readonly object[], b: readonly object[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}
