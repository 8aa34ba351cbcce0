/**
 * Makes `proto/xds.binpb.gz`: of a full xDS descriptor set only the files Weft
 * speaks, with what they import, and without the options that only code
 * generators of other languages and Envoy's own validators read.
 *
 * Run by hand when the upstream set is updated:
 *   node packages/xds/tools/trim-descriptors.ts path/to/xds-protos.binpb.gz
 */
import { readFileSync, writeFileSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";
import { create, fromBinary, isFieldSet, toBinary } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  type EnumDescriptorProto,
  EnumOptionsSchema,
  EnumValueOptionsSchema,
  type FieldDescriptorProto,
  FieldOptionsSchema,
  type FileDescriptorProto,
  FileDescriptorSetSchema,
  MessageOptionsSchema,
} from "@bufbuild/protobuf/wkt";

/** Files whose only content is options; nothing refers to them once options are gone. */
const optionFiles =
  /^(validate\/|udpa\/annotations\/|xds\/annotations\/|envoy\/annotations\/|google\/api\/(annotations|http|field_behavior|resource|launch_stage|client)\.proto)/;

/** What the product speaks. Imports are added by themselves. */
const roots: readonly RegExp[] = [
  /^envoy\/config\/(bootstrap|listener|route|cluster|endpoint|core|rbac|accesslog|ratelimit|overload)\/v3\//,
  /^envoy\/config\/metrics\/v3\/stats/,
  /^envoy\/config\/trace\/v3\/(http_tracer|opentelemetry|zipkin)/,
  /^envoy\/config\/common\/(matcher|mutation_rules)\/v3\//,
  /^envoy\/data\/accesslog\/v3\//,
  /^envoy\/admin\/v3\/(certs|clusters|config_dump|config_dump_shared|listeners|server_info|init_dump|memory)\.proto$/,
  /^envoy\/type\/(v3|http\/v3|matcher\/v3|metadata\/v3|tracing\/v3)\//,
  /^envoy\/service\/(discovery|cluster|listener|endpoint|secret|status|accesslog|auth|ratelimit|load_stats|health)\/v3\//,
  /^envoy\/service\/route\/v3\/rds/,
  /^envoy\/extensions\/filters\/common\/fault\/v3\//,
  /^envoy\/extensions\/filters\/http\/(basic_auth|buffer|compressor|cors|csrf|decompressor|ext_authz|fault|grpc_stats|grpc_web|header_mutation|header_to_metadata|health_check|jwt_authn|local_ratelimit|ratelimit|rbac|router|set_filter_state|set_metadata|stateful_session|upstream_codec|on_demand)\/v3\//,
  /^envoy\/extensions\/filters\/network\/(http_connection_manager|tcp_proxy|rbac|sni_cluster|echo|direct_response|connection_limit|local_ratelimit|ext_authz|set_filter_state)\/v3\//,
  /^envoy\/extensions\/filters\/listener\/(http_inspector|original_dst|proxy_protocol|tls_inspector)\/v3\//,
  /^envoy\/extensions\/access_loggers\/(file|grpc|open_telemetry|stream)\/v3\//,
  /^envoy\/extensions\/access_loggers\/filters\/cel\/v3\//,
  /^envoy\/extensions\/transport_sockets\/(tls|raw_buffer|proxy_protocol|tcp_stats)\/v3\//,
  /^envoy\/extensions\/upstreams\/(http\/v3|tcp\/v3|http\/generic\/v3)\//,
  /^envoy\/extensions\/load_balancing_policies\/(common|cluster_provided|least_request|maglev|override_host|pick_first|random|ring_hash|round_robin|subset|wrr_locality|client_side_weighted_round_robin)\/v3\//,
  /^envoy\/extensions\/clusters\/(aggregate|common\/dns|dns)\/v3\//,
  /^envoy\/extensions\/retry\//,
  /^envoy\/extensions\/internal_redirect\//,
  /^envoy\/extensions\/matching\//,
  /^envoy\/extensions\/compression\/(brotli|gzip|zstd)\//,
  /^envoy\/extensions\/path\//,
  /^envoy\/extensions\/http\/(header_formatters|original_ip_detection|stateful_session|early_header_mutation)\//,
  /^envoy\/extensions\/(regex_engines|request_id\/uuid|string_matcher|early_data)\//,
  /^envoy\/extensions\/network\/dns_resolver\/(cares|getaddrinfo)\//,
  /^envoy\/extensions\/resource_monitors\/(downstream_connections|fixed_heap|injected_resource)\//,
  /^envoy\/extensions\/rbac\//,
  /^envoy\/extensions\/formatter\//,
  /^envoy\/extensions\/tracers\/opentelemetry\//,
  /^envoy\/extensions\/stat_sinks\/open_telemetry\//,
  /^xds\/(core|type\/v3|type\/matcher\/v3|data\/orca\/v3|service\/orca\/v3)/,
  /^udpa\/type\/v1\//,
  /^google\/rpc\/(status|code|error_details)\.proto$/,
  /^opentelemetry\/proto\/(common|resource|logs|metrics|trace)\/v1\//,
  /^opentelemetry\/proto\/collector\/(logs|metrics|trace)\/v1\//,
];

const source = process.argv[2];
if (!source) {
  process.stderr.write("usage: trim-descriptors.ts <descriptor set, .binpb.gz>\n");
  process.exit(2);
}

const full = fromBinary(FileDescriptorSetSchema, gunzipSync(readFileSync(source)));
const byName = new Map(full.file.map((file) => [file.name, file]));
const kept = new Map<string, FileDescriptorProto>();
for (const file of full.file) if (roots.some((root) => root.test(file.name))) keep(file.name);

const trimmed = create(FileDescriptorSetSchema, { file: [...kept.values()] });
const packed = gzipSync(toBinary(FileDescriptorSetSchema, trimmed), { level: 9 });
writeFileSync(new URL("../proto/xds.binpb.gz", import.meta.url), packed);
process.stderr.write(`${kept.size} of ${full.file.length} files, ${packed.length} bytes\n`);

/** Adds a file after everything it imports: a descriptor set is in that order. */
function keep(name: string): void {
  if (kept.has(name) || optionFiles.test(name)) return;
  const file = byName.get(name);
  if (!file) throw new Error(`${source} lacks ${name}`);
  file.dependency = file.dependency.filter((dependency) => !optionFiles.test(dependency));
  for (const dependency of file.dependency) keep(dependency);
  stripFile(file);
  kept.set(name, file);
}

function stripFile(file: FileDescriptorProto): void {
  file.options = undefined;
  file.sourceCodeInfo = undefined;
  file.publicDependency = [];
  file.weakDependency = [];
  for (const message of file.messageType) stripMessage(message);
  for (const enumeration of file.enumType) stripEnum(enumeration);
  for (const extension of file.extension) stripField(extension);
  for (const service of file.service) {
    service.options = undefined;
    for (const method of service.method) method.options = undefined;
  }
}

function stripMessage(message: DescriptorProto): void {
  // mapEntry changes how a field reads; `deprecated` is worth a warning to users.
  message.options = message.options?.mapEntry
    ? create(MessageOptionsSchema, { mapEntry: true })
    : message.options?.deprecated
      ? create(MessageOptionsSchema, { deprecated: true })
      : undefined;
  for (const field of message.field) stripField(field);
  for (const oneof of message.oneofDecl) oneof.options = undefined;
  for (const nested of message.nestedType) stripMessage(nested);
  for (const enumeration of message.enumType) stripEnum(enumeration);
  for (const extension of message.extension) stripField(extension);
}

function stripField(field: FieldDescriptorProto): void {
  const options = field.options;
  field.options = undefined;
  if (!options) return;
  const packed = isFieldSet(options, FieldOptionsSchema.field.packed) ? options.packed : undefined;
  if (packed === undefined && !options.deprecated) return;
  field.options = create(FieldOptionsSchema, {
    ...(packed === undefined ? {} : { packed }),
    ...(options.deprecated ? { deprecated: true } : {}),
  });
}

function stripEnum(enumeration: EnumDescriptorProto): void {
  enumeration.options = enumeration.options?.allowAlias
    ? create(EnumOptionsSchema, { allowAlias: true })
    : undefined;
  for (const value of enumeration.value) {
    value.options = value.options?.deprecated
      ? create(EnumValueOptionsSchema, { deprecated: true })
      : undefined;
  }
}
