import { isIP } from "node:net";

/** Who an xDS node says it is, by its id alone. */
export interface NodeId {
  readonly role: "agent" | "sidecar";
  readonly address: string;
  readonly instance: string;
  readonly namespace: string;
  /** `<instance>.<namespace>`: the registration this node belongs to. */
  readonly workloadId: string;
}

const maxNodeIdLength = 512;
/** A DNS label or several, as Kubernetes names instances. */
const instancePattern = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
const namespacePattern = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * Takes a node id of the form `role~address~instance.namespace~domain` apart,
 * or says in one sentence why it is none. Nothing here is trusted yet: the
 * namespace must still be the one of the verified identity.
 */
export function parseNodeId(text: string): NodeId | { readonly problem: string } {
  if (text.length > maxNodeIdLength)
    return { problem: `node id is longer than ${maxNodeIdLength} characters` };
  const [role, address, name, domain, ...rest] = text.split("~");
  if (domain === undefined || rest.length > 0) {
    return { problem: `node id "${text}" is not role~address~instance.namespace~domain` };
  }
  if (role !== "agent" && role !== "sidecar")
    return { problem: `node id "${text}" has the unknown role "${role}"` };
  if (isIP(address!) === 0) return { problem: `node id "${text}" has no IP address in its second part` };
  const dot = name!.lastIndexOf(".");
  const instance = name!.slice(0, dot);
  const namespace = name!.slice(dot + 1);
  if (dot < 1 || !isInstanceName(instance) || !isNamespace(namespace)) {
    return { problem: `node id "${text}" does not name instance.namespace in its third part` };
  }
  return { role, address: address!, instance, namespace, workloadId: `${instance}.${namespace}` };
}

export function isInstanceName(text: string): boolean {
  return instancePattern.test(text);
}

export function isNamespace(text: string): boolean {
  return namespacePattern.test(text);
}
