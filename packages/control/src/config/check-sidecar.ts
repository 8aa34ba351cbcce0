import { isIP } from "node:net";
import { normalize } from "node:path/posix";
import { checkConnectionPool } from "./check-connection-pool.ts";
import { checkServerTls } from "./check-gateway.ts";
import { portProtocols } from "./check-service-entry.ts";
import type { CheckedMetadata, Finding } from "./finding.ts";
import type {
  EgressListenerSpec,
  IngressListenerSpec,
  SidecarPortSpec,
  SidecarSpec,
} from "./service-specs.ts";
import { isDnsLabel, isHostPattern, parseDefaultEndpoint } from "./values.ts";

export function checkSidecar(spec: SidecarSpec, find: Finding, { namespace }: CheckedMetadata): void {
  checkIngress(spec.ingress ?? [], find);
  checkEgress(spec.egress ?? [], namespace, find);
  checkOutbound(spec, "spec.outboundTrafficPolicy", find);
  checkConnectionPool(spec.inboundConnectionPool, "spec.inboundConnectionPool", find);
}

function checkIngress(ingress: readonly IngressListenerSpec[], find: Finding): void {
  const ports = new Map<number, string>();
  ingress.forEach((listener, i) => {
    const path = `spec.ingress[${i}]`;
    checkPort(listener.port, `${path}.port`, ports, find);
    checkBind(listener.bind, `${path}.bind`, find);
    checkDefaultEndpoint(listener.defaultEndpoint, `${path}.defaultEndpoint`, find);
    checkConnectionPool(listener.connectionPool, `${path}.connectionPool`, find);
    checkIngressTls(listener, `${path}.tls`, find);
  });
}

function checkDefaultEndpoint(text: string | undefined, path: string, find: Finding): void {
  if (!text) return;
  const endpoint = parseDefaultEndpoint(text);
  if (!endpoint) {
    const message = `${path}: "${text}" is not a place of the workload`;
    const hint = "write 127.0.0.1:PORT, 0.0.0.0:PORT (its own address), [::1]:PORT, or unix:///PATH";
    find.error("W1204", path, message, hint);
  } else if (endpoint.kind === "pipe" && /^(\/var)?\/run\/weft\//.test(normalize(endpoint.path))) {
    const message = `${path}: "${text}" is of the agent, which hands out the workload's key there`;
    find.error("W1204", path, message, "write where the application listens");
  }
}

function checkIngressTls({ tls, port }: IngressListenerSpec, path: string, find: Finding): void {
  if (!tls) return;
  const protocol = (port?.protocol ?? "").toUpperCase();
  if (protocol !== "HTTPS" && protocol !== "TLS") {
    const message = `${path} is for HTTPS and TLS, and the port's protocol is ${protocol}`;
    find.error("W1106", path, message, "write protocol: HTTPS where the application speaks HTTP, else TLS");
  }
  if (tls.mode === undefined) find.error("W1104", path, `${path}.mode is missing`, "write mode: SIMPLE");
  else if (!tls.serverCertificate && !tls.tlsCertificates) {
    const hint = "name the files serverCertificate and privateKey";
    find.error("W1104", path, `${path} needs a certificate`, hint);
  } else checkServerTls(tls, protocol, path, find);
}

function checkEgress(egress: readonly EgressListenerSpec[], namespace: string, find: Finding): void {
  const ports = new Map<number, string>();
  egress.forEach((listener, i) => {
    const path = `spec.egress[${i}]`;
    if (listener.port) {
      checkPort(listener.port, `${path}.port`, ports, find);
      checkBind(listener.bind, `${path}.bind`, find);
    } else {
      checkPortless(listener, i === egress.length - 1, path, find);
    }
    if (!listener.hosts?.length) {
      find.error("W1104", path, `${path}.hosts is missing`, 'name what may be called, for example "./*"');
    }
    const seen = new Set<string>();
    listener.hosts?.forEach((host, j) => {
      const at = `${path}.hosts[${j}]`;
      checkEgressHost(host, at, find);
      const key = host.startsWith("./") ? `${namespace}${host.slice(1)}` : host;
      if (seen.has(key)) find.warning("W1210", at, `${at}: "${host}" is written twice`, "remove one of them");
      seen.add(key);
    });
  });
}

/** One that takes all ports that the others leave. */
function checkPortless(listener: EgressListenerSpec, isLast: boolean, path: string, find: Finding): void {
  if (!isLast) {
    const message = `${path} has no port, and others come after it`;
    find.error("W1106", path, message, "the listener for all other ports must be the last, and the only one");
  }
  for (const field of ["bind", "captureMode"] as const) {
    const value = listener[field];
    if (!value || value === "DEFAULT" || value === "IPTABLES") continue;
    const hint = "give the listener a port";
    find.error(
      "W1302",
      `${path}.${field}`,
      `Sidecar.spec.egress[].${field} without a port is not supported yet`,
      hint,
    );
  }
}

function checkEgressHost(host: string, path: string, find: Finding): void {
  const slash = host.indexOf("/");
  const [namespace, name] = [host.slice(0, Math.max(slash, 0)), host.slice(slash + 1)];
  if (slash < 0) {
    find.error(
      "W1203",
      path,
      `${path}: "${host}" does not say which namespace`,
      `write "*/${host}" or "./${host}"`,
    );
  } else if (!["*", ".", "~"].includes(namespace) && !isDnsLabel(namespace)) {
    const hint = 'write "*" for all, "." for the workload\'s own, "~" for none, or a namespace';
    find.error("W1203", path, `${path}: "${namespace}" is not a namespace`, hint);
  } else if (!isHostPattern(name)) {
    find.error(
      "W1203",
      path,
      `${path}: "${name}" is not a host name`,
      'for example "./*" or "shop/api.shop.svc.cluster.local"',
    );
  }
}

function checkPort(
  port: SidecarPortSpec | undefined,
  path: string,
  taken: Map<number, string>,
  find: Finding,
): void {
  if (port?.number === undefined || port.number === 0) {
    find.error("W1104", path, `${path}.number is missing`, "sockets without a port are not supported yet");
    return;
  }
  find.port(`${path}.number`, port.number);
  const first = taken.get(port.number);
  if (first) {
    const message = `${path}.number: port ${port.number} is written twice`;
    find.error("W1210", `${path}.number`, message, `the first is ${first}`);
  }
  taken.set(port.number, first ?? path);
  const protocol = (port.protocol ?? "").toUpperCase();
  if (protocol === "HTTP_PROXY") {
    const hint = "write HTTP, and let the application send each request to the address of its host";
    find.error("W1302", `${path}.protocol`, `${path}.protocol HTTP_PROXY is not supported yet`, hint);
  } else if (protocol === "") {
    find.error("W1104", path, `${path}.protocol is missing`, `one of ${portProtocols.join(", ")}`);
  } else find.word(`${path}.protocol`, protocol, portProtocols);
}

function checkBind(bind: string | undefined, path: string, find: Finding): void {
  if (!bind || isIP(bind) !== 0 || bind.startsWith("unix:")) return;
  find.error("W1204", path, `${path}: "${bind}" is not an IP address`, "for example 127.0.0.1");
}

function checkOutbound({ outboundTrafficPolicy: policy }: SidecarSpec, path: string, find: Finding): void {
  if (!policy?.egressProxy) return;
  const { host, port } = policy.egressProxy;
  const at = `${path}.egressProxy`;
  find.host(`${at}.host`, host);
  if (host.startsWith("*"))
    find.error("W1203", `${at}.host`, "an egress proxy cannot be a wildcard", "name one host");
  if (port?.number === undefined) find.error("W1104", at, `${at}.port.number is missing`);
  find.port(`${at}.port.number`, port?.number);
  if (policy.mode === "ALLOW_ANY") return;
  const hint = "remove it, or write mode: ALLOW_ANY";
  find.error("W1106", at, `${at} needs mode ALLOW_ANY: nothing unknown leaves otherwise`, hint);
}
