import type { Diagnostic } from "@weft/base/diagnostics";
import { formatOrigin } from "@weft/base/origin";
import { type ParsedConfig, parseConfig } from "../config/parse-config.ts";
import type { ConfigFile } from "../config/parse-documents.ts";
import { type ConfigResource, resourceKey } from "../config/resource.ts";
import { buildMesh } from "../model/build-mesh.ts";
import { hostnamesNeedingAddress } from "../model/build-services.ts";
import type { Mesh } from "../model/mesh.ts";
import type { MeshSettings } from "../model/options.ts";
import type { Workload } from "../registry/workload.ts";
import { runsPods, writtenWorkloads } from "./written-workloads.ts";

export interface WrittenMesh {
  readonly mesh: Mesh;
  readonly resources: readonly ConfigResource[];
  /** Of the files and of the mesh they make. */
  readonly diagnostics: readonly Diagnostic[];
  /** Services (`namespace/name`) that no Deployment is written for: stand-ins serve them. */
  readonly standIns: readonly string[];
  /** Ids of workloads that are written to be their own data plane, gRPC without a sidecar. */
  readonly proxyless: readonly string[];
}

/**
 * The mesh that YAML alone makes: what its Deployments run is taken to be
 * running. Pure.
 *
 * @param changed files whose resources take the place of those of the same name
 */
export function writtenMesh(
  files: readonly ConfigFile[],
  settings: MeshSettings,
  changed: readonly ConfigFile[] = [],
): WrittenMesh {
  const { resources, others, diagnostics } = readOver(files, changed);
  const { workloads, standIns, proxyless } = writtenWorkloads(resources, others);
  const used = new Set(others.filter(runsPods).map(({ origins }) => formatOrigin(origins.at("kind"))));
  const isUsed = ({ code, origin }: Diagnostic) =>
    code === "W1304" && origin && used.has(formatOrigin(origin));
  const unused = diagnostics.filter((diagnostic) => !isUsed(diagnostic));
  return { ...built(resources, workloads, settings, unused), standIns, proxyless };
}

/** As `writtenMesh`, of workloads that have registered. */
export function runningMesh(
  files: readonly ConfigFile[],
  workloads: readonly Workload[],
  settings: MeshSettings,
  changed: readonly ConfigFile[] = [],
): WrittenMesh {
  const { resources, guards, diagnostics } = readOver(files, changed);
  return {
    ...built([...resources, ...guards], workloads, settings, diagnostics),
    standIns: [],
    proxyless: [],
  };
}

function readOver(files: readonly ConfigFile[], changed: readonly ConfigFile[]): ParsedConfig {
  const before = parseConfig(files);
  if (changed.length === 0) return before;
  const after = parseConfig(changed);
  const replaced = new Set(after.resources.map(resourceKey));
  const isKept = (one: ConfigResource) => !replaced.has(resourceKey(one));
  return {
    resources: [...before.resources.filter(isKept), ...after.resources],
    guards: before.guards.filter(isKept),
    others: [...before.others, ...after.others],
    diagnostics: [...before.diagnostics, ...after.diagnostics],
  };
}

function built(
  resources: readonly ConfigResource[],
  workloads: readonly Workload[],
  settings: MeshSettings,
  read: readonly Diagnostic[],
): Omit<WrittenMesh, "standIns" | "proxyless"> {
  const names = hostnamesNeedingAddress(resources, workloads, settings);
  const vips = new Map(names.map((name, i) => [name, virtualAddress(i + 1)]));
  const { mesh, diagnostics } = buildMesh({ resources, workloads, vips, options: settings });
  return { mesh, resources, diagnostics: [...read, ...diagnostics] };
}

/** From 240.240.0.0/16, and on from there where that is not enough. */
function virtualAddress(number: number): string {
  return `240.${240 + ((number >> 16) & 15)}.${(number >> 8) & 255}.${number & 255}`;
}
