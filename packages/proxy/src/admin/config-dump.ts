import { createRegistry, type JsonValue, type Message, toJson } from "@bufbuild/protobuf";
import { BootstrapSchema } from "@weft/xds/gen/envoy/config/bootstrap/v3/bootstrap_pb";
import { ClusterSchema } from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import { ClusterLoadAssignmentSchema } from "@weft/xds/gen/envoy/config/endpoint/v3/endpoint_pb";
import { ListenerSchema } from "@weft/xds/gen/envoy/config/listener/v3/listener_pb";
import type { VirtualHost } from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import {
  type RouteConfiguration,
  RouteConfigurationSchema,
} from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import { CertificateValidationContextSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb";
import { OnDemandHostsSchema } from "@weft/xds/gen/weft/route/v1/on_demand_hosts_pb";
import type { BootstrapPlan } from "../config/bootstrap.ts";
import { extensionRegistry } from "../config/extension-registry.ts";
import type { LiveConfig } from "../config/live-config.ts";
import type { TlsContexts } from "../config/tls-contexts.ts";
import { validationContext } from "../config/validation-context.ts";
import type { Held } from "../config/warming.ts";

const schemas = [
  CertificateValidationContextSchema,
  BootstrapSchema,
  ClusterSchema,
  ListenerSchema,
  RouteConfigurationSchema,
  ClusterLoadAssignmentSchema,
];

/** Fields that hold key material or passwords, in the bootstrap or deep inside a transport socket or filter. */
const secretFields = new Set(["private_key", "password", "session_ticket_keys", "pkcs12", "users"]);

/**
 * The configuration in force as Envoy's `/config_dump` shows it, so that tools
 * that read Envoy's read ours. Key material is never in it.
 */
export function configDump(
  bootstrap: BootstrapPlan,
  live: LiveConfig,
  tls: TlsContexts,
  startedMs: number,
  includeEndpoints: boolean,
): readonly Readonly<Record<string, unknown>>[] {
  const clusters = [...live.clusters.active.values()];
  const listeners = [...live.listeners.active];
  const at = (ms: number) => new Date(ms).toISOString();
  const dumped = (field: string, held: Held<unknown>) => ({
    ...(held.version === "" ? {} : { version_info: held.version }),
    [field]: dump(held.written.message),
    last_updated: at(held.updatedMs),
  });
  const configs: Readonly<Record<string, unknown>>[] = [
    {
      "@type": adminType("BootstrapConfigDump"),
      bootstrap: redact(toProtoJson(bootstrap.message)),
      last_updated: at(startedMs),
    },
    {
      "@type": adminType("ClustersConfigDump"),
      static_clusters: clusters.filter((held) => held.isStatic).map((held) => dumped("cluster", held)),
      dynamic_active_clusters: clusters
        .filter((held) => !held.isStatic)
        .map((held) => dumped("cluster", held)),
      dynamic_warming_clusters: [...live.clusters.waiting()].map((held) => dumped("cluster", held)),
    },
  ];
  if (includeEndpoints) {
    configs.push({
      "@type": adminType("EndpointsConfigDump"),
      dynamic_endpoint_configs: [...live.endpoints.values()].map((held) => ({
        version_info: held.version,
        endpoint_config: dump(held.written.message),
        last_updated: at(held.updatedMs),
      })),
    });
  }
  configs.push(
    {
      "@type": adminType("ListenersConfigDump"),
      static_listeners: listeners
        .filter(([, held]) => held.isStatic)
        .map(([, held]) => dumped("listener", held)),
      dynamic_listeners: dynamicListeners(live, dumped),
    },
    {
      "@type": adminType("RoutesConfigDump"),
      dynamic_route_configs: [...live.routes].map(([key, held]) => ({
        version_info: held.version,
        route_config: dump(withHosts(held.written.message as RouteConfiguration, live.virtualHosts.of(key))),
        last_updated: at(held.updatedMs),
      })),
    },
    {
      "@type": adminType("SecretsConfigDump"),
      dynamic_active_secrets: [...tls.secrets()].map(([key, secret]) => ({
        name: key.slice(key.indexOf(" ") + 1),
        secret: {
          "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
          name: key.slice(key.indexOf(" ") + 1),
          ...(secret.kind === "certificate"
            ? {
                tls_certificate: {
                  certificate_chain: { inline_bytes: secret.certificate.chain.toString("base64") },
                  private_key: redacted,
                },
              }
            : { validation_context: toProtoJson(validationContext(secret.trust)) }),
        },
      })),
    },
  );
  return configs;
}

/** With the virtual hosts that came by themselves, in order of name, as Envoy shows it. */
function withHosts(config: RouteConfiguration, hosts: readonly VirtualHost[]): RouteConfiguration {
  if (!config.vhds) return config;
  const all = [...config.virtualHosts, ...hosts].sort((a, b) => (a.name < b.name ? -1 : 1));
  return { ...config, virtualHosts: all };
}

function dynamicListeners(
  live: LiveConfig,
  dumped: (field: string, held: Held<unknown>) => unknown,
): readonly unknown[] {
  const states = new Map<string, Record<string, unknown>>();
  const add = (name: string, state: string, held: Held<unknown>) => {
    states.set(name, { ...(states.get(name) ?? { name }), [state]: dumped("listener", held) });
  };
  for (const [name, held] of live.listeners.active) if (!held.isStatic) add(name, "active_state", held);
  for (const held of live.listeners.waiting()) add(held.plan.name, "warming_state", held);
  return [...states.values()];
}

function dump(message: Message): unknown {
  return { "@type": `type.googleapis.com/${message.$typeName}`, ...(redact(toProtoJson(message)) as object) };
}

function toProtoJson(message: Message): JsonValue {
  const schema = schemas.find((candidate) => candidate.typeName === message.$typeName);
  if (!schema) throw new Error(`no schema to show ${message.$typeName} with`);
  return toJson(schema, message as never, { registry, useProtoFieldName: true });
}

/** With what stands in metadata, which no decoder looks up. */
const registry = createRegistry(extensionRegistry, OnDemandHostsSchema);

const redacted = { inline_string: "[redacted]" };

function redact(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(redact);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, secretFields.has(key) ? redacted : redact(inner)]),
  );
}

function adminType(name: string): string {
  return `type.googleapis.com/envoy.admin.v3.${name}`;
}
