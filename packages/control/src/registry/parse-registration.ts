import { isIP } from "node:net";
import { MeshError } from "@weft/base/errors";
import { isInstanceName, isNamespace, type NodeId, parseNodeId } from "./node-id.ts";
import type { Workload, WorkloadLocality, WorkloadPort, WorkloadUpstream } from "./workload.ts";

/** The parts of a verified SVID that a registration is held against. */
export interface RegisteredIdentity {
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** An xDS node as it came off the wire, its metadata being plain JSON. */
export interface RegistrationNode {
  readonly id: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly locality?: WorkloadLocality;
}

const limits = { labels: 64, addresses: 16, ports: 128, upstreams: 256, text: 253, labelKey: 317 } as const;

const protocols: Readonly<Record<string, WorkloadPort["protocol"]>> = {
  http: "http",
  http2: "http2",
  grpc: "grpc",
  tcp: "tcp",
  tls: "tls",
};

/**
 * A registration that can be trusted as far as its identity goes: every field
 * has its type and is bounded, and namespace and service account are those of
 * the verified SVID. Collects every problem and throws them as one `MeshError`.
 */
export function parseRegistration(node: RegistrationNode, identity: RegisteredIdentity): Workload {
  const id = parseNodeId(node.id);
  if ("problem" in id) throw refusal([id.problem]);
  const reader = new MetadataReader(node.metadata);
  const workload = { ...readWorkload(reader, id), ...localityOf(reader, node.locality) };
  const problems = [...reader.problems];
  if (id.role !== "agent") problems.push(`node id "${node.id}" registers nothing: only an agent does`);
  if (workload.namespace !== identity.namespace || id.namespace !== identity.namespace) {
    problems.push(
      `the namespace is "${workload.namespace}", but the certificate is for namespace "${identity.namespace}"`,
    );
  }
  if (workload.serviceAccount !== identity.serviceAccount) {
    problems.push(
      `SERVICE_ACCOUNT is "${workload.serviceAccount}", but the certificate is for "${identity.serviceAccount}"`,
    );
  }
  if (workload.name !== id.instance)
    problems.push(`NAME "${workload.name}" is not the instance of the node id`);
  if (problems.length > 0) throw refusal(problems);
  return workload;
}

function refusal(problems: readonly string[]): MeshError {
  return new MeshError(`registration refused: ${problems.join("; ")}`, { source: "downstream" });
}

function readWorkload(reader: MetadataReader, id: NodeId): Workload {
  const name = reader.name("NAME", isInstanceName, id.instance);
  const interception = reader.text("INTERCEPTION_MODE", "REDIRECT");
  if (interception !== "REDIRECT" && interception !== "NONE") {
    reader.problem(`INTERCEPTION_MODE "${interception}" is neither REDIRECT nor NONE`);
  }
  const hasOwnPorts = interception === "NONE";
  const isGateway = reader.flag("GATEWAY");
  if (isGateway && !hasOwnPorts)
    reader.problem("a gateway captures nothing: it needs INTERCEPTION_MODE NONE");
  const upstreams = reader.list("UPSTREAMS", limits.upstreams, (entry) => readUpstream(reader, entry));
  if (!hasOwnPorts && upstreams.length > 0) reader.problem("UPSTREAMS need INTERCEPTION_MODE NONE");
  if (isGateway && upstreams.length > 0)
    reader.problem("UPSTREAMS are for an application, and a gateway has none");
  return {
    id: id.workloadId,
    name,
    workloadName: reader.name("WORKLOAD_NAME", isInstanceName, name),
    namespace: reader.name("NAMESPACE", isNamespace, id.namespace),
    serviceAccount: reader.name("SERVICE_ACCOUNT", isInstanceName, ""),
    service: reader.name("SERVICE", (text) => text === "" || isNamespace(text), ""),
    labels: reader.labels(),
    addresses: reader.addresses(id.address),
    ports: unique(
      reader,
      reader.list("APP_PORTS", limits.ports, (entry) => readPort(reader, entry, hasOwnPorts)),
    ),
    interception: hasOwnPorts ? "NONE" : "REDIRECT",
    upstreams,
    isHealthy: false,
    ...(isGateway ? { isGateway } : {}),
    hasSidecar: true,
    ...groupOf(reader),
  };
}

/** A node that does not say where it is has a locality all the same, which says nothing. */
function localityOf(
  reader: MetadataReader,
  locality: WorkloadLocality | undefined,
): Pick<Workload, "locality"> {
  if (!locality || locality.region === "") return {};
  const { region, zone, subZone } = locality;
  for (const part of [region, zone, subZone]) {
    if (part.length > limits.text || /[/*]/.test(part)) {
      reader.problem(`the locality has a part "${shorten(part)}"`);
    }
  }
  return { locality: { region, zone, subZone } };
}

function groupOf(reader: MetadataReader): Pick<Workload, "group"> {
  const group = reader.name("WORKLOAD_GROUP", (text) => text === "" || isInstanceName(text), "");
  return group === "" ? {} : { group };
}

function readPort(reader: MetadataReader, entry: JsonObject, hasOwnPorts: boolean): WorkloadPort | undefined {
  const port = portNumber(entry.port);
  const protocol = protocols[String(entry.protocol ?? "tcp")];
  const listenPort = entry.listenPort === undefined ? port : portNumber(entry.listenPort);
  if (port === undefined || listenPort === undefined) {
    reader.problem("APP_PORTS holds a port that is not in 1–65535");
    return undefined;
  }
  if (protocol === undefined) {
    reader.problem(`APP_PORTS: port ${port} has the unknown protocol "${shorten(entry.protocol)}"`);
    return undefined;
  }
  if (!hasOwnPorts && listenPort !== port)
    reader.problem(`APP_PORTS: listenPort of ${port} needs INTERCEPTION_MODE NONE`);
  const name = entry.name === undefined || entry.name === "" ? `${protocol}-${port}` : entry.name;
  if (typeof name !== "string" || !isNamespace(name)) {
    reader.problem(`APP_PORTS: port ${port} has a name that is not a DNS label`);
    return undefined;
  }
  return { port, protocol, name, listenPort };
}

function readUpstream(reader: MetadataReader, entry: JsonObject): WorkloadUpstream | undefined {
  const { host, bindAddress } = entry;
  const port = portNumber(entry.port);
  const bindPort = portNumber(entry.bindPort);
  const isHost = typeof host === "string" && isInstanceName(host);
  const isBind = typeof bindAddress === "string" && isIP(bindAddress) !== 0;
  if (!isHost || !isBind || port === undefined || bindPort === undefined) {
    reader.problem(`UPSTREAMS: ${shorten(JSON.stringify(entry))} is not {host, port, bindAddress, bindPort}`);
    return undefined;
  }
  return { host, port, bindAddress, bindPort };
}

function unique(reader: MetadataReader, ports: readonly WorkloadPort[]): readonly WorkloadPort[] {
  const seen = new Set<number>();
  for (const { port } of ports) {
    if (seen.has(port)) reader.problem(`APP_PORTS names port ${port} twice`);
    seen.add(port);
  }
  return ports;
}

type JsonObject = Readonly<Record<string, unknown>>;

/** Reads fields of untrusted metadata, remembering what is wrong instead of stopping. */
class MetadataReader {
  readonly problems: string[] = [];
  readonly #metadata: JsonObject;

  constructor(metadata: JsonObject) {
    this.#metadata = metadata;
  }

  problem(text: string): void {
    if (this.problems.length < 20) this.problems.push(text);
  }

  text(key: string, fallback: string): string {
    const value = this.#metadata[key];
    if (value === undefined) return fallback;
    if (typeof value !== "string" || value.length > limits.text) {
      this.problem(`${key} is not a text of at most ${limits.text} characters`);
      return fallback;
    }
    return value;
  }

  flag(key: string): boolean {
    const value = this.#metadata[key] ?? false;
    if (typeof value === "boolean") return value;
    this.problem(`${key} is neither true nor false`);
    return false;
  }

  name(key: string, isValid: (text: string) => boolean, fallback: string): string {
    const value = this.text(key, fallback);
    if (isValid(value)) return value;
    this.problem(value === "" ? `${key} is missing` : `${key} "${shorten(value)}" is not a DNS name`);
    return fallback;
  }

  labels(): Readonly<Record<string, string>> {
    const value = this.#metadata.LABELS;
    if (value === undefined) return {};
    if (!isObject(value)) {
      this.problem("LABELS is not an object");
      return {};
    }
    const entries = Object.entries(value);
    if (entries.length > limits.labels) this.problem(`LABELS has more than ${limits.labels} entries`);
    const labels: Record<string, string> = Object.create(null);
    for (const [key, text] of entries.slice(0, limits.labels)) {
      if (
        typeof text !== "string" ||
        text.length > limits.text ||
        key.length > limits.labelKey ||
        key === ""
      ) {
        this.problem(`LABELS: "${shorten(key)}" is not a short text`);
      } else labels[key] = text;
    }
    return { ...labels };
  }

  addresses(fallback: string): readonly string[] {
    const parts = this.text("INSTANCE_IPS", fallback).split(",");
    if (parts.length > limits.addresses)
      this.problem(`INSTANCE_IPS has more than ${limits.addresses} addresses`);
    const addresses = parts.slice(0, limits.addresses).map((part) => part.trim());
    for (const address of addresses) {
      if (isIP(address) === 0) this.problem(`INSTANCE_IPS: "${shorten(address)}" is not an IP address`);
    }
    return addresses;
  }

  list<T>(key: string, limit: number, read: (entry: JsonObject) => T | undefined): readonly T[] {
    const value = this.#metadata[key] ?? [];
    if (!Array.isArray(value)) {
      this.problem(`${key} is not a list`);
      return [];
    }
    if (value.length > limit) this.problem(`${key} has more than ${limit} entries`);
    const parsed: T[] = [];
    for (const entry of value.slice(0, limit)) {
      if (!isObject(entry)) this.problem(`${key} holds something that is not an object`);
      else {
        const item = read(entry);
        if (item !== undefined) parsed.push(item);
      }
    }
    return parsed;
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Struct numbers arrive as doubles; a numeric string is not taken. */
function portNumber(value: unknown): number | undefined {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 65535
    ? value
    : undefined;
}

function shorten(value: unknown): string {
  const text = String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
