import { readFileSync } from "node:fs";
import { type DescMessage, type JsonValue, type Message, toJson } from "@bufbuild/protobuf";
import { type Diagnostic, formatDiagnostic } from "@weft/base/diagnostics";
import { parse, stringify } from "yaml";
import type { MeshConfigSpec } from "../config/mesh-config/mesh-config-spec.ts";
import { parseConfig } from "../config/parse-config.ts";
import { extensionRegistry } from "../inspect/extension-registry.ts";
import { buildMesh, type MeshInput } from "../model/build-mesh.ts";
import { hostnamesNeedingAddress } from "../model/build-services.ts";
import type { FetchedKeys } from "../model/key-source.ts";
import type { Mesh } from "../model/mesh.ts";
import type { MeshDefaults } from "../model/mesh-options.ts";
import { meshSettings } from "../model/mesh-settings.ts";
import type { Workload, WorkloadPort } from "../registry/workload.ts";
import { type ClientFeatures, parseClientFeatures } from "./client-features.ts";

export function messageJson(schema: DescMessage, message: Message): JsonValue {
  return toJson(schema, message, { registry: extensionRegistry, useProtoFieldName: true });
}

type WorkloadShort = Partial<Omit<Workload, "ports">> & {
  readonly service: string;
  readonly version?: string;
  readonly ports?: readonly (Partial<WorkloadPort> & { readonly port: number })[];
};

/** A workload in few words: `{service: reviews, version: v1}` serves HTTP on 9080. */
export function workload(short: WorkloadShort, index = 1): Workload {
  const { service, version = "v1", ports = [{ port: 9080 }], ...rest } = short;
  const namespace = rest.namespace ?? "default";
  const name = rest.name ?? `${service || "client"}-${version}`;
  return {
    id: `${name}.${namespace}`,
    name,
    workloadName: name,
    namespace,
    serviceAccount: service || "client",
    service,
    labels: { app: service || "client", version },
    addresses: [`10.0.0.${index}`],
    ports: ports.map((p) => ({
      protocol: "http",
      name: `${p.protocol ?? "http"}-${p.port}`,
      listenPort: p.port,
      ...p,
    })),
    interception: "REDIRECT",
    upstreams: [],
    isHealthy: true,
    hasSidecar: true,
    ...rest,
  };
}

export interface Scenario {
  readonly workloads: readonly WorkloadShort[];
  /** The workload whose resources are looked at: the first unless named. */
  readonly proxy?: string;
  readonly defaults?: Partial<MeshDefaults>;
  /** MeshConfig; access logs stay off unless it names a file. */
  readonly meshConfig?: MeshConfigSpec;
  /** What the proxy's node declares in `client_features`. */
  readonly features?: readonly string[];
  /** And what in its metadata. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** What has been fetched, by URL. */
  readonly keySets?: Readonly<Record<string, FetchedKeys>>;
}

export interface Fixture {
  readonly mesh: Mesh;
  readonly diagnostics: readonly Diagnostic[];
  readonly findings: readonly string[];
  readonly proxy: string;
  readonly features: ClientFeatures;
  readonly input: MeshInput;
}

/** A mesh from a scenario and YAML. Access logs are off unless the scenario sets them, to keep goldens short. */
export function fixture(scenario: Scenario, yaml = "", file = "mesh.yaml"): Fixture {
  const config = parseConfig([{ name: file, text: yaml }]);
  const workloads = scenario.workloads.map((short, i) => workload(short, i + 1));
  const options = {
    trustDomain: "cluster.local",
    meshDefaults: {
      accessLog: undefined,
      ...(scenario.meshConfig ? meshSettings(scenario.meshConfig).meshDefaults : {}),
      ...scenario.defaults,
    },
  };
  const names = hostnamesNeedingAddress(config.resources, workloads, options);
  const vips = new Map(names.map((name, i) => [name, `240.240.0.${i + 1}`]));
  const keySets = new Map(Object.entries(scenario.keySets ?? {}));
  const input = { resources: config.resources, workloads, vips, keySets, options };
  const { mesh, diagnostics } = buildMesh(input);
  const all = [...config.diagnostics, ...diagnostics];
  return {
    mesh,
    diagnostics: all,
    findings: all.map(formatDiagnostic),
    proxy: scenario.proxy ?? workloads[0]!.id,
    features: parseClientFeatures(scenario.features ?? [], scenario.metadata),
    input,
  };
}

/** A fixture from a file whose first document is the scenario; lines keep their numbers. */
export function readFixture(file: URL): Fixture {
  const text = readFileSync(file, "utf8");
  const cut = text.indexOf("\n---\n");
  const head = cut < 0 ? text : text.slice(0, cut);
  const rest = cut < 0 ? "" : "\n".repeat(head.split("\n").length + 1) + text.slice(cut + 5);
  const name = file.pathname.slice(file.pathname.lastIndexOf("/") + 1);
  return fixture(parse(head) as Scenario, rest, name);
}

/** A value as YAML that reads well in a diff: maps in their order, undefined left out, no anchors. */
export function asYaml(value: unknown): string {
  const plain = JSON.parse(
    JSON.stringify(value, (_, part: unknown) => (part instanceof Map ? Object.fromEntries(part) : part)),
  ) as unknown;
  return stringify(plain, { aliasDuplicateObjects: false, lineWidth: 120 });
}
