import type { Diagnostic } from "@weft/base/diagnostics";
import { keepLatest } from "@weft/base/keep-latest";
import { isSameList } from "@weft/base/same-list";
import type { SortedMap } from "@weft/base/sorted-map";
import { meshKinds } from "../config/kinds.ts";
import type { ConfigResource } from "../config/resource.ts";
import {
  buildGround,
  type MeshGround,
  type RoutedMesh,
  routeMesh,
  routingKinds,
} from "../model/build-mesh.ts";
import { hostnamesNeedingAddress } from "../model/build-services.ts";
import type { RouteStatuses } from "../model/gateway-api/attach-routes.ts";
import type { GatewayStatuses } from "../model/gateway-api/gateway-status.ts";
import type { PolicyStatuses } from "../model/gateway-api/policy-ancestors.ts";
import type { TargetStatuses } from "../model/gateway-api/policy-status.ts";
import type { ServedGateway } from "../model/gateway-api/served-gateways.ts";
import type { KeySets } from "../model/key-source.ts";
import type { Mesh } from "../model/mesh.ts";
import type { MeshSettings } from "../model/options.ts";
import { ServiceSelectors } from "../model/service-selectors.ts";
import { shareUnchanged } from "../model/share-unchanged.ts";
import { resourcesOf } from "../model/sorting.ts";
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
interface Made extends BuiltMesh, WorkloadBasis, Sources, Pick<MeshGround, "roles"> {
  readonly registered: SortedMap<Workload>;
  readonly apiGateways: readonly ServedGateway[];
  readonly policyTargets: TargetStatuses;
  /** What the model says, without what was found in the files. */
  readonly findings: readonly Diagnostic[];
  readonly groundFindings: readonly Diagnostic[];
}

/** What a mesh is made from beside settings. */
interface Sources {
  readonly configured: readonly ConfigResource[];
  readonly registered: SortedMap<Workload>;
  readonly keySets: KeySets;
}

/** What would be in force, had what was looked at been applied. */
interface Previewed extends Sources {
  readonly ground: MeshGround;
  readonly built: RoutedMesh;
}

/** Builds the mesh from what is in force now, or from what would be. */
export class MeshPipeline {
  readonly #config: ConfigSet;
  readonly #registry: WorkloadRegistry;
  readonly #addresses: VirtualAddresses;
  readonly #keys: { readonly current: KeySets };
  readonly #settings: MeshSettings;
  #current: Made | undefined;
  #previewed: Previewed | undefined;

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
    const last = this.#current;
    const { ground, built } = this.#made(configured, (names) => this.#addresses.assign(names));
    const { drafts, vips, roles, resources, mtls, policies, sidecars, groups, ruleIndex } = ground;
    this.#current = {
      mesh: shareUnchanged(last?.mesh, built.mesh),
      diagnostics: [...diagnostics, ...built.diagnostics],
      drafts,
      vips,
      roles,
      resources,
      mtls,
      policies,
      sidecars,
      groups,
      ruleIndex,
      selectors: selectorsOf(resources.Service, resources.ServiceEntry, built.mesh.options),
      served: last?.drafts === drafts ? last.served : servedBy(drafts, last?.served),
      configured,
      registered: this.#registry.workloads,
      keySets: this.#keys.current,
      routes: built.routes,
      gateways: built.gateways,
      policyStatuses: built.policyStatuses,
      apiGateways: ground.apiGateways,
      policyTargets: ground.policyTargets,
      findings: built.diagnostics,
      groundFindings: ground.diagnostics,
    };
    this.#previewed = undefined;
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
    if (this.#isOf(this.#current, resources)) {
      return { mesh: this.#current!.mesh, diagnostics: this.#current!.findings };
    }
    let areAddressesKept = true;
    const { ground, built } = this.#made(resources, (names) => {
      areAddressesKept = this.#addresses.have(names);
      return this.#addresses.preview(names);
    });
    const { current: keySets } = this.#keys;
    const registered = this.#registry.workloads;
    this.#previewed = areAddressesKept
      ? { configured: resources, registered, keySets, ground, built }
      : undefined;
    return built;
  }

  /** What these resources make: what was made of them for a preview, or of what only routes are added to. */
  #made(
    resources: readonly ConfigResource[],
    addressesOf: (hostnames: readonly string[]) => ReadonlyMap<string, string>,
  ): Pick<Previewed, "ground" | "built"> {
    if (this.#previewed && this.#isOf(this.#previewed, resources)) return this.#previewed;
    const ground = this.#keptGround(resources) ?? this.#ground(resources, addressesOf);
    return { ground, built: routeMesh(ground, resources) };
  }

  #isOf(made: Sources | undefined, resources: readonly ConfigResource[]): boolean {
    return this.#isOfNow(made) && isSameList(resources, made!.configured);
  }

  /** Whether what else it was made from is as it is now. */
  #isOfNow(made: Omit<Sources, "configured"> | undefined): boolean {
    return made?.registered === this.#registry.workloads && made.keySets === this.#keys.current;
  }

  /** The ground of the mesh in force, where these resources would make the same. */
  #keptGround(resources: readonly ConfigResource[]): MeshGround | undefined {
    const last = this.#current;
    if (!last || !this.#isOfNow(last)) return undefined;
    const now = resourcesOf(resources);
    const isSame = meshKinds.every(
      (kind) => routingKinds.has(kind) || isSameList(now[kind], last.resources[kind]),
    );
    return isSame ? { ...last, diagnostics: last.groundFindings } : undefined;
  }

  #ground(
    resources: readonly ConfigResource[],
    addressesOf: (hostnames: readonly string[]) => ReadonlyMap<string, string>,
  ): MeshGround {
    const workloads = listed(this.#registry.workloads);
    const vips = addressesOf(hostnamesNeedingAddress(resources, workloads, this.#settings));
    const keySets = this.#keys.current;
    return buildGround({ resources, workloads, vips, keySets, options: this.#settings }, this.#current);
  }
}

const selectorsOf = keepLatest(
  (...given: ConstructorParameters<typeof ServiceSelectors>) => new ServiceSelectors(...given),
);

const listed = keepLatest((registered: SortedMap<Workload>) => [...registered.values()]);
