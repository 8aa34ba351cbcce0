import { type ApiClient, ApiError } from "@weft/control/api/client";
import type { MeshName } from "@weft/control/api/mesh-protocol";
import { parseConfig } from "@weft/control/config/parse-config";
import type { ConfigResource } from "@weft/control/config/resource";
import type { MeshReader } from "./mesh-reader.ts";

/** Reads the mesh of a control plane as it is now; what has been read once is not asked for again. */
export function liveReader(api: ApiClient): MeshReader {
  let names: Promise<readonly MeshName[]> | undefined;
  const written = new Map<string, Promise<ConfigResource | undefined>>();
  return {
    findWorkloads: (by) => api.findWorkloads(by),
    names() {
      names ??= api.meshNames().then((answer) => answer.names);
      return names;
    },
    async resource(workloadId, type, name, host) {
      const { body } = await api.encodedResource(workloadId, type, name, host);
      return body === undefined ? undefined : Buffer.from(body, "base64");
    },
    written(kind, namespace, name) {
      const key = `${kind}/${namespace}/${name}`;
      let resource = written.get(key);
      if (!resource) {
        resource = readResource(api, kind, namespace, name);
        written.set(key, resource);
      }
      return resource;
    },
  };
}

/** Parsed with its own text at its own line, so that places are those of the file it came from. */
async function readResource(
  api: ApiClient,
  kind: string,
  namespace: string,
  name: string,
): Promise<ConfigResource | undefined> {
  try {
    const { text, origin } = await api.getResource({ kind, namespace, name });
    const colon = origin.lastIndexOf(":");
    const line = Number(origin.slice(colon + 1));
    const { resources } = parseConfig([
      { name: origin.slice(0, colon), text: "\n".repeat(Math.max(line - 1, 0)) + text },
    ]);
    return resources.find((one) => one.kind === kind && one.name === name);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}
