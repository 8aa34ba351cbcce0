import type { Diagnostic } from "@weft/base/diagnostics";
import type { Workload } from "../registry/workload.ts";

/** What is asked about a mesh by those who want to know what calls in it would do. */

export interface Analysis {
  /** Of files, references and the mesh, as `weft analyze` has them. */
  readonly diagnostics: readonly Diagnostic[];
}

/** A workload, as far as it matters to who asks what calls between workloads would do. */
export interface WorkloadView {
  readonly id: string;
  /** What the instances of one deployment share. */
  readonly workloadName: string;
  readonly namespace: string;
  /** SPIFFE ID. */
  readonly identity: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly addresses: readonly string[];
  readonly interception: "REDIRECT" | "NONE";
  /** Where it reaches what, with interception `NONE`. */
  readonly upstreams: readonly {
    readonly hostname: string;
    readonly port: number;
    readonly bindAddress: string;
    readonly bindPort: number;
  }[];
}

export interface WorkloadViews {
  readonly workloads: readonly WorkloadView[];
  /** Some of the ids there are, where nothing was found. */
  readonly known: readonly string[];
}

/** A host of the mesh. */
export interface MeshName {
  readonly hostname: string;
  readonly name: string;
  readonly namespace: string;
  readonly isExternal: boolean;
  /** What it resolves to. */
  readonly addresses: readonly string[];
  readonly ports: readonly number[];
}

export interface MeshNames {
  readonly names: readonly MeshName[];
}

/** Types of resources that may be asked for one by one. */
export const namedTypes = ["listener", "route", "cluster", "endpoint"] as const;
export type NamedType = (typeof namedTypes)[number];

/** An xDS resource as a sidecar of a workload is given it. */
export interface EncodedResource {
  /** The message in base64; absent where there is none of that name. */
  readonly body?: string;
}

/** What a mesh is made of beside its resources: enough to make one that differs. */
export interface Registrations {
  readonly trustDomain: string;
  readonly workloads: readonly Workload[];
}
