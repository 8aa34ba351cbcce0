import type { JsonObject, ProxyConfig, ProxyConfigKind, ProxyResource } from "../api/protocol.ts";
import { ApiRefusal } from "../api/refusal.ts";
import type { CertificateAuthority } from "../ca/certificate-authority.ts";
import { proxySecrets } from "../inspect/proxy-secrets.ts";
import type { MeshPipeline } from "./mesh-pipeline.ts";
import type { ProxySync, ProxySyncTable } from "./proxy-sync.ts";

export interface ProxySources {
  readonly authority: Pick<CertificateAuthority, "caStatus" | "issuedTo">;
  readonly pipeline: MeshPipeline;
  readonly sync: ProxySyncTable;
}

/** What a connected proxy is given. @throws ApiRefusal where no, or more than one, workload is meant */
export function proxyConfigOf(sources: ProxySources, workload: string, kind: ProxyConfigKind): ProxyConfig {
  const sidecars = [...sources.sync.proxies].filter(({ info }) => info.role === "sidecar");
  const exact = sidecars.filter(({ info }) => info.workloadId === workload);
  const found =
    exact.length > 0 ? exact : sidecars.filter(({ info }) => info.workloadId.startsWith(workload));
  const ids = [...new Set(found.map(({ info }) => info.workloadId))];
  if (ids.length !== 1) {
    const known = sidecars.map(({ info }) => info.workloadId).sort();
    throw new ApiRefusal(404, {
      error:
        ids.length > 1
          ? `${workload} is the beginning of ${ids.join(", ")}`
          : `no proxy of ${workload} is connected`,
      hint: known.length > 0 ? `one of: ${known.slice(0, 20).join(", ")}` : "'weft status' shows who is",
    });
  }
  // A proxy that comes back may have two streams for a moment: the newer one tells.
  const newest = found.at(-1)!;
  const { nodeId, dataPlane } = newest.info;
  return { nodeId, dataPlane, resources: resourcesOf(sources, newest, kind) };
}

function resourcesOf(
  { authority, pipeline, sync }: ProxySources,
  proxy: ProxySync,
  kind: ProxyConfigKind,
): readonly ProxyResource[] {
  const { workloadId } = proxy.info;
  switch (kind) {
    case "secrets": {
      const identity = pipeline.current.mesh.workloads.get(workloadId)?.identity;
      const issued = identity === undefined ? [] : authority.issuedTo(identity, maxShownCertificates);
      return proxySecrets(issued, authority.caStatus());
    }
    case "bootstrap":
      return [bootstrapOf(sync, workloadId)];
    default:
      return proxy.resources(kind);
  }
}

function bootstrapOf(sync: ProxySyncTable, workloadId: string): ProxyResource {
  const agents = [...sync.proxies].filter(
    ({ info }) => info.role === "agent" && info.workloadId === workloadId,
  );
  const text = agents.at(-1)?.info.bootstrap;
  const value = text === undefined ? undefined : parseBootstrap(text);
  if (value) return { name: "bootstrap", version: "", value };
  throw new ApiRefusal(404, {
    error: `nobody has said what the data plane of ${workloadId} was started with`,
    hint: "'weft run' says it when its agent registers; gRPC applications read GRPC_XDS_BOOTSTRAP instead",
  });
}

const maxShownCertificates = 50;

/** Undefined when it is no JSON object. */
function parseBootstrap(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as JsonObject)
      : undefined;
  } catch {
    return undefined;
  }
}
