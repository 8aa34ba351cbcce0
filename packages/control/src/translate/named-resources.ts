import type { Message } from "@bufbuild/protobuf";
import type { MeshWorkload } from "../model/mesh.ts";
import type { SeenMesh } from "../model/view.ts";
import type { ClientFeatures } from "./client-features.ts";
import { type CommonParts, type PartType, partsOf, type SidecarPart } from "./part.ts";
import { proxyParts } from "./proxy-parts.ts";
import { resourceName } from "./translate-sidecar.ts";

/** Of so many audiences what they have in common is kept. */
const maxAudiences = 64;

/**
 * Single resources of what the clients of one mesh are given, without making
 * the others. A part is made at most once for all who have it in common, so
 * that a thousand callers cost what one does.
 */
export class NamedResources {
  readonly #features: ClientFeatures;
  readonly #common = new Map<string, BuiltParts>();

  constructor(features: ClientFeatures) {
    this.#features = features;
  }

  /**
   * Undefined where a client of `workload` is given none of that name.
   *
   * @param mesh as the workload gets to see it: always of the same mesh
   */
  find(mesh: SeenMesh, workload: MeshWorkload, type: PartType, name: string): Message | undefined {
    const features = this.#features;
    const { own, audience, common } = proxyParts(mesh, workload, features);
    const hostname = /^outbound\|\d+\|[^|]*\|(.+)$/.exec(name)?.[1];
    if ((type === "cluster" || type === "endpoint") && hostname !== undefined && !features.isProxyless) {
      // Of thousands of services, the one that the name is of.
      const service = mesh.services.get(hostname);
      return new BuiltParts(service ? common.byService.of(service) : []).find(type, name);
    }
    return new BuiltParts(own).find(type, name) ?? this.#commonOf(audience, common).find(type, name);
  }

  #commonOf(audience: string, common: CommonParts): BuiltParts {
    let parts = this.#common.get(audience);
    if (!parts) {
      if (this.#common.size >= maxAudiences) this.#common.clear();
      parts = new BuiltParts(partsOf(common));
      this.#common.set(audience, parts);
    }
    return parts;
  }
}

/** Parts with what they have been made into, as far as somebody asked. */
class BuiltParts {
  readonly #parts: readonly SidecarPart[];
  readonly #built = new Map<SidecarPart, ReadonlyMap<string, Message>>();

  constructor(parts: readonly SidecarPart[]) {
    this.#parts = parts;
  }

  find(type: PartType, name: string): Message | undefined {
    for (const part of this.#parts) {
      if (part.type !== type || !mayHold(part, name)) continue;
      const found = this.#messagesOf(part).get(name);
      if (found) return found;
    }
    return undefined;
  }

  #messagesOf(part: SidecarPart): ReadonlyMap<string, Message> {
    let messages = this.#built.get(part);
    if (!messages) {
      messages = new Map(part.build().map((message) => [resourceName(part.type, message), message]));
      this.#built.set(part, messages);
    }
    return messages;
  }
}

/** The routes of a port are a part of their own. */
function mayHold({ id }: SidecarPart, name: string): boolean {
  return !id.startsWith("routes-") || id === `routes-${name}`;
}
