import type { ServerTlsSpec } from "../config/gateway-specs.ts";
import type { ResourceOf } from "../config/resource.ts";
import type { GatewayServer, ServerCertificate, ServerHost, ServerTls, TlsVersion } from "./gateway.ts";
import type { WrittenServer } from "./merge-gateways.ts";
import { provenanceOf } from "./provenance.ts";

type Gateway = ResourceOf<"Gateway">;

/** `namespace/name`, as VirtualServices name it. */
export function gatewayKey({ namespace, name }: { namespace: string; name: string }): string {
  return `${namespace}/${name}`;
}

const protocols: Readonly<Record<string, GatewayServer["protocol"]>> = {
  HTTP: "http",
  HTTP2: "http",
  GRPC: "http",
  "GRPC-WEB": "http",
  HTTPS: "https",
  TLS: "tls",
};

/** The servers of a Gateway that was checked. */
export function writtenServers(gateway: Gateway): WrittenServer[] {
  return (gateway.spec.servers ?? []).map(({ port, bind }, i) => ({
    server: gatewayServer(gateway, i),
    port: port.number,
    bind: bind || undefined,
    at: gateway.origins.at(`spec.servers[${i}]`),
  }));
}

function gatewayServer(gateway: Gateway, index: number): GatewayServer {
  const { port, hosts, tls } = gateway.spec.servers![index]!;
  return {
    gateway: gatewayKey(gateway),
    namespace: gateway.namespace,
    portName: port.name,
    protocol: protocols[port.protocol.toUpperCase()] ?? "tcp",
    hosts: hosts.map((host) => serverHost(host, gateway.namespace)),
    redirectsToHttps: tls?.httpsRedirect ?? false,
    tls: tls && serverTls(tls),
    ...(tls?.mode === "AUTO_PASSTHROUGH" ? { passesMembers: true as const } : {}),
    source: provenanceOf(gateway, `spec.servers[${index}]`),
  };
}

/** The host and the namespace that `host` or `namespace/host` of a Gateway in `own` means. */
export function serverHost(written: string, own: string): ServerHost {
  const slash = written.indexOf("/");
  const host = written.slice(slash + 1).toLowerCase();
  const namespace = slash < 0 ? "*" : written.slice(0, slash);
  return { namespace: namespace === "*" ? undefined : namespace === "." ? own : namespace, host };
}

const clients = {
  SIMPLE: "any",
  OPTIONAL_MUTUAL: "optional",
  MUTUAL: "verified",
  ISTIO_MUTUAL: "mesh",
} as const;

const versions: Readonly<Record<string, TlsVersion>> = { TLSV1_2: "1.2", TLSV1_3: "1.3" };

/** What a server asks and shows, as it is written; undefined where TLS passes through. */
export function serverTls(spec: ServerTlsSpec): ServerTls | undefined {
  const { mode = "PASSTHROUGH" } = spec;
  if (mode === "PASSTHROUGH" || mode === "AUTO_PASSTHROUGH") return undefined;
  const verifies = mode === "MUTUAL" || mode === "OPTIONAL_MUTUAL";
  return {
    clients: clients[mode],
    ...(verifies && spec.insecureSkipVerify ? { acceptsUntrusted: true } : {}),
    certificates: certificatesOf(spec),
    trust: verifies ? trustOf(spec) : undefined,
    names: verifies ? (spec.subjectAltNames ?? []) : [],
    hashes: verifies ? (spec.verifyCertificateHash ?? []) : [],
    spkis: verifies ? (spec.verifyCertificateSpki ?? []) : [],
    minVersion: versions[spec.minProtocolVersion ?? ""],
    maxVersion: versions[spec.maxProtocolVersion ?? ""],
    ciphers: spec.cipherSuites ?? [],
  };
}

function certificatesOf(spec: ServerTlsSpec): ServerCertificate[] {
  const names = spec.credentialName ? [spec.credentialName] : (spec.credentialNames ?? []);
  if (names.length > 0) return names.map((secret) => ({ secret }));
  const files = spec.serverCertificate ? [spec] : (spec.tlsCertificates ?? []);
  return files.map(({ serverCertificate, privateKey }) => ({
    chainFile: serverCertificate!,
    keyFile: privateKey!,
  }));
}

function trustOf(spec: ServerTlsSpec): ServerTls["trust"] {
  const secret = spec.caCertCredentialName || spec.credentialName || spec.credentialNames?.[0];
  if (secret && !spec.caCertificates) return { secret };
  return { caFile: spec.caCertificates!, crlFile: spec.caCrl || undefined };
}
