/**
 * Services, where they are served, and what their workloads are given, as they
 * are written. In all files of specs only fields that Weft reads are named:
 * `support.ts` reports the others before anyone gets to see the value.
 */

import type { ConnectionPoolSpec } from "./destination-rule-specs.ts";
import type { ServerTlsSpec } from "./gateway-specs.ts";
import type { DestinationSpec } from "./virtual-service-specs.ts";

export interface ServiceSpec {
  readonly selector?: Readonly<Record<string, string>>;
  readonly clusterIP?: string;
  readonly clusterIPs?: readonly string[];
  readonly ipFamilies?: readonly string[];
  readonly ipFamilyPolicy?: string;
  readonly publishNotReadyAddresses?: boolean;
  readonly sessionAffinity?: "None" | "ClientIP";
  readonly trafficDistribution?: string;
  readonly type?: string;
  /** For the type ExternalName. */
  readonly externalName?: string;
  readonly ports?: readonly ServicePortSpec[];
}

export interface ServicePortSpec {
  readonly name?: string;
  readonly port: number;
  readonly targetPort?: number | string;
  readonly appProtocol?: string;
  readonly protocol?: "TCP" | "UDP" | "SCTP";
}

export interface ServiceEntrySpec {
  readonly hosts: readonly string[];
  readonly exportTo?: readonly string[];
  readonly addresses?: readonly string[];
  readonly ports?: readonly {
    readonly number: number;
    readonly name: string;
    readonly protocol?: string;
    readonly targetPort?: number;
  }[];
  readonly location?: "MESH_EXTERNAL" | "MESH_INTERNAL";
  readonly resolution?: "NONE" | "STATIC" | "DNS" | "DNS_ROUND_ROBIN";
  readonly endpoints?: readonly WorkloadEntrySpec[];
  readonly workloadSelector?: { readonly labels?: Readonly<Record<string, string>> };
  readonly subjectAltNames?: readonly string[];
}

/** A place that serves something, written down: alone, or among a ServiceEntry's endpoints. */
export interface WorkloadEntrySpec {
  readonly address?: string;
  readonly ports?: Readonly<Record<string, number>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly weight?: number;
  readonly serviceAccount?: string;
  /** `region/zone/subzone`, the last two optional. */
  readonly locality?: string;
}

export interface WorkloadGroupSpec {
  readonly metadata?: { readonly labels?: Readonly<Record<string, string>> };
  readonly template: Omit<WorkloadEntrySpec, "address">;
  readonly probe?: ProbeSpec;
}

/** How an agent finds out whether its application is ready. */
export interface ProbeSpec {
  readonly initialDelaySeconds?: number;
  readonly periodSeconds?: number;
  readonly timeoutSeconds?: number;
  readonly successThreshold?: number;
  readonly failureThreshold?: number;
  readonly httpGet?: {
    readonly host?: string;
    readonly port: number;
    readonly path?: string;
    readonly scheme?: string;
    readonly httpHeaders?: readonly { readonly name?: string; readonly value?: string }[];
  };
  readonly tcpSocket?: { readonly host?: string; readonly port: number };
  readonly exec?: { readonly command: readonly string[] };
  readonly grpc?: { readonly port?: number; readonly service?: string };
}

export interface SidecarSpec {
  readonly workloadSelector?: { readonly labels?: Readonly<Record<string, string>> };
  readonly ingress?: readonly IngressListenerSpec[];
  readonly egress?: readonly EgressListenerSpec[];
  readonly outboundTrafficPolicy?: {
    readonly mode?: "ALLOW_ANY" | "REGISTRY_ONLY";
    readonly egressProxy?: DestinationSpec;
  };
  readonly inboundConnectionPool?: ConnectionPoolSpec;
}

/** How the proxies of a namespace, or of workloads with these labels, are started. */
export interface ProxyConfigSpec {
  readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
  readonly concurrency?: number | null;
  readonly environmentVariables?: Readonly<Record<string, string>>;
}

export interface SidecarPortSpec {
  readonly number?: number;
  readonly protocol?: string;
  readonly name?: string;
}

export interface IngressListenerSpec {
  readonly port: SidecarPortSpec;
  readonly bind?: string;
  readonly captureMode?: CaptureMode;
  /** `127.0.0.1:PORT`, `0.0.0.0:PORT`, `[::1]:PORT`, `[::]:PORT`, `:PORT` or `unix:///PATH`. */
  readonly defaultEndpoint?: string;
  readonly connectionPool?: ConnectionPoolSpec;
  /** TLS for callers outside the mesh. */
  readonly tls?: ServerTlsSpec;
}

export interface EgressListenerSpec {
  readonly port?: SidecarPortSpec;
  readonly bind?: string;
  readonly captureMode?: CaptureMode;
  /** `namespace/host`, each with wildcards. */
  readonly hosts?: readonly string[];
}

export type CaptureMode = "DEFAULT" | "IPTABLES" | "NONE";
