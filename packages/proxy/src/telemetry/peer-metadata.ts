import type { PeerMetadata } from "../layer/downstream-connection.ts";
import { decodeStruct, encodeStruct, type StructOrString } from "./struct-codec.ts";

export const peerMetadataHeader = "x-envoy-peer-metadata";
export const peerMetadataIdHeader = "x-envoy-peer-metadata-id";

/** Longer values are not looked at: a workload's labels take a few hundred bytes. */
const maxEncodedLength = 16 * 1024;

/**
 * `x-envoy-peer-metadata` in Istio's form: a base64 `google.protobuf.Struct`
 * with the workload's name, namespace, cluster and labels.
 */
export function encodePeerMetadata(metadata: PeerMetadata): string {
  return encodeStruct({
    NAME: metadata.workload,
    NAMESPACE: metadata.namespace,
    WORKLOAD_NAME: metadata.workload,
    CLUSTER_ID: metadata.cluster,
    LABELS: {
      app: metadata.app,
      version: metadata.version,
      "service.istio.io/canonical-name": metadata.canonicalName,
      "service.istio.io/canonical-revision": metadata.canonicalRevision,
    },
  }).toString("base64");
}

/** What a peer's sidecar said of itself, or undefined when the value is not peer metadata. */
export function decodePeerMetadata(encoded: string): PeerMetadata | undefined {
  if (encoded.length > maxEncodedLength) return undefined;
  const fields = decodeStruct(Buffer.from(encoded, "base64"));
  if (!fields || fields.size === 0) return undefined;
  const labels = fields.get("LABELS");
  return peerMetadataFrom(
    (key) => text(fields.get(key)),
    (label) => (labels instanceof Map ? text(labels.get(label)) : ""),
  );
}

/** What this proxy is, from the metadata of its own node (`Node.metadata` as plain JSON). */
export function localPeerMetadata(nodeMetadata: Readonly<Record<string, unknown>>): PeerMetadata {
  const labels = nodeMetadata.LABELS as Readonly<Record<string, unknown>> | undefined;
  return peerMetadataFrom(
    (key) => text(nodeMetadata[key]),
    (label) => text(labels?.[label]),
  );
}

/** `<workload>;<namespace>;<canonical name>;<canonical revision>;<cluster>`: endpoint metadata `istio.workload`. */
export function parseEndpointWorkload(value: string): PeerMetadata {
  const [workload = "", namespace = "", canonicalName = "", canonicalRevision = "", cluster = ""] =
    value.split(";");
  return {
    workload,
    namespace,
    app: canonicalName,
    version: canonicalRevision,
    canonicalName,
    canonicalRevision,
    cluster,
  };
}

/** Istio's rules for the canonical service: its own label, else Kubernetes' recommended one, else `app`, else the workload. */
function peerMetadataFrom(field: (key: string) => string, label: (name: string) => string): PeerMetadata {
  const workload = field("WORKLOAD_NAME") || field("NAME");
  const app = label("app");
  const version = label("version");
  return {
    workload,
    namespace: field("NAMESPACE"),
    app,
    version,
    canonicalName:
      label("service.istio.io/canonical-name") || label("app.kubernetes.io/name") || app || workload,
    canonicalRevision:
      label("service.istio.io/canonical-revision") ||
      label("app.kubernetes.io/version") ||
      version ||
      "latest",
    cluster: field("CLUSTER_ID"),
  };
}

function text(value: StructOrString | unknown): string {
  return typeof value === "string" ? value : "";
}
