import { type Diagnostic, Diagnostics } from "@weft/base/diagnostics";
import { formatOrigin } from "@weft/base/origin";
import { parseConfig } from "../config/parse-config.ts";
import type { ConfigFile } from "../config/parse-documents.ts";
import type { ConfigResource } from "../config/resource.ts";
import { buildMesh } from "../model/build-mesh.ts";
import { hostnamesNeedingAddress } from "../model/build-services.ts";
import type { Mesh } from "../model/mesh.ts";
import type { MeshSettings } from "../model/options.ts";
import { runsPods, writtenWorkloads } from "./written-workloads.ts";

export interface WrittenMesh {
  readonly mesh: Mesh;
  readonly resources: readonly ConfigResource[];
  /** Of the files and of the mesh they make. */
  readonly diagnostics: readonly Diagnostic[];
  /** Services (`namespace/name`) that no Deployment is written for: stand-ins serve them. */
  readonly standIns: readonly string[];
}

/** The mesh that YAML alone makes: what its Deployments run is taken to be running. Pure. */
export function writtenMesh(files: readonly ConfigFile[], settings: MeshSettings): WrittenMesh {
  const { resources, others, diagnostics } = parseConfig(files);
  const { workloads, standIns } = writtenWorkloads(resources, others);
  const names = hostnamesNeedingAddress(resources, workloads, settings);
  const vips = new Map(names.map((name, i) => [name, virtualAddress(i + 1)]));
  const built = buildMesh({ resources, workloads, vips, options: settings });
  const used = new Set(others.filter(runsPods).map(({ origins }) => formatOrigin(origins.at("kind"))));
  const isUsed = ({ code, origin }: Diagnostic) =>
    code === "W1304" && origin && used.has(formatOrigin(origin));
  const all = new Diagnostics();
  all.add(diagnostics.filter((diagnostic) => !isUsed(diagnostic)));
  all.add(built.diagnostics);
  return { mesh: built.mesh, resources, diagnostics: all.all, standIns };
}

/** From 240.240.0.0/16, and on from there where that is not enough. */
function virtualAddress(number: number): string {
  return `240.${240 + ((number >> 16) & 15)}.${(number >> 8) & 255}.${number & 255}`;
}
