import { readFileSync } from "node:fs";
import { createRegistry, type DescMessage, type JsonValue, type Message, toJson } from "@bufbuild/protobuf";
import { type Diagnostic, formatDiagnostic } from "@weft/base/diagnostics";
import { FileAccessLogSchema } from "@weft/xds/gen/envoy/extensions/access_loggers/file/v3/file_pb";
import {
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
} from "@weft/xds/gen/envoy/extensions/access_loggers/grpc/v3/als_pb";
import { StdoutAccessLogSchema } from "@weft/xds/gen/envoy/extensions/access_loggers/stream/v3/stream_pb";
import { HTTPFaultSchema } from "@weft/xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb";
import { HeaderMutationSchema } from "@weft/xds/gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb";
import { RBACSchema as HttpRbacSchema } from "@weft/xds/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb";
import { RouterSchema } from "@weft/xds/gen/envoy/extensions/filters/http/router/v3/router_pb";
import { ConfigSchema as SetFilterStateSchema } from "@weft/xds/gen/envoy/extensions/filters/http/set_filter_state/v3/set_filter_state_pb";
import { OriginalDstSchema } from "@weft/xds/gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb";
import { TlsInspectorSchema } from "@weft/xds/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb";
import { HttpConnectionManagerSchema } from "@weft/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import { RBACSchema as NetworkRbacSchema } from "@weft/xds/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb";
import { TcpProxySchema } from "@weft/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb";
import { PreviousHostsPredicateSchema } from "@weft/xds/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb";
import { RawBufferSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb";
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb";
import { HttpProtocolOptionsSchema } from "@weft/xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb";
import { TypedStructSchema } from "@weft/xds/gen/xds/type/v3/typed_struct_pb";
import { parse, stringify } from "yaml";
import { parseConfig } from "../config/parse-config.ts";
import { buildMesh, type MeshInput } from "../model/build-mesh.ts";
import { hostnamesNeedingAddress } from "../model/build-services.ts";
import type { Mesh, MeshDefaults } from "../model/mesh.ts";
import type { Workload, WorkloadPort } from "../registry/workload.ts";
import { type ClientFeatures, parseClientFeatures } from "./client-features.ts";

/** Every extension that translation packs into an Any. */
const registry = createRegistry(
  HTTPFaultSchema,
  HttpRbacSchema,
  RouterSchema,
  OriginalDstSchema,
  TlsInspectorSchema,
  FileAccessLogSchema,
  StdoutAccessLogSchema,
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
  HeaderMutationSchema,
  SetFilterStateSchema,
  HttpConnectionManagerSchema,
  NetworkRbacSchema,
  TcpProxySchema,
  PreviousHostsPredicateSchema,
  RawBufferSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
  HttpProtocolOptionsSchema,
  TypedStructSchema,
);

export function messageJson(schema: DescMessage, message: Message): JsonValue {
  return toJson(schema, message, { registry, useProtoFieldName: true });
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
  /** What the proxy's node declares in `client_features`. */
  readonly features?: readonly string[];
  /** And what in its metadata. */
  readonly metadata?: Readonly<Record<string, unknown>>;
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
    meshDefaults: { accessLog: undefined, ...scenario.defaults },
  };
  const names = hostnamesNeedingAddress(config.resources, workloads, options);
  const vips = new Map(names.map((name, i) => [name, `240.240.0.${i + 1}`]));
  const input = { resources: config.resources, workloads, vips, options };
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
