import { formatOrigin } from "@weft/base/origin";
import type { ConfigResource } from "@weft/control/config/resource";
import type { MeshReader } from "./mesh-reader.ts";

/** `filter_metadata["istio"]` of an xDS resource or route. */
export type RouteMetadata = Readonly<Record<string, unknown>> | undefined;

/** Finds what a part of a route says, more closely than the route's own place. */
export class RoutePlaces {
  readonly #rule: { readonly resource: ConfigResource; readonly path: string } | undefined;
  readonly #origin: string | undefined;

  private constructor(
    rule: { readonly resource: ConfigResource; readonly path: string } | undefined,
    origin: string | undefined,
  ) {
    this.#rule = rule;
    this.#origin = origin;
  }

  /** @param metadata of the route, where translation noted the rule it was made from */
  static async of(reader: MeshReader, metadata: RouteMetadata): Promise<RoutePlaces> {
    const istio = metadata?.istio as { config?: unknown; origin?: unknown } | undefined;
    const origin = typeof istio?.origin === "string" ? istio.origin : undefined;
    const parts = /\/namespaces\/([^/]+)\/virtual-service\/([^/]+)$/.exec(String(istio?.config ?? ""));
    if (!parts || origin === undefined) return new RoutePlaces(undefined, origin);
    const resource = await reader.written("VirtualService", parts[1]!, parts[2]!);
    if (resource?.kind !== "VirtualService") return new RoutePlaces(undefined, origin);
    const index = (resource.spec.http ?? []).findIndex(
      (_, i) => formatOrigin(resource.origins.at(`spec.http[${i}]`)) === origin,
    );
    if (index < 0) return new RoutePlaces(undefined, origin);
    return new RoutePlaces({ resource, path: `spec.http[${index}]` }, origin);
  }

  /** Where the first of these fields of the rule is written; the rule itself where none is. */
  at(...fields: readonly string[]): string | undefined {
    if (!this.#rule) return this.#origin;
    const { resource, path } = this.#rule;
    const written = fields.find((field) => resource.origins.has(`${path}.${field}`));
    return written === undefined ? this.#origin : formatOrigin(resource.origins.keyAt(`${path}.${written}`));
  }

  /** As `at`, and undefined where none of the fields is written. */
  only(...fields: readonly string[]): string | undefined {
    const { resource, path } = this.#rule ?? {};
    return fields.some((field) => resource?.origins.has(`${path}.${field}`)) ? this.at(...fields) : undefined;
  }
}

/** Where a policy's rule is written, by the name it has in xDS: `ns[default]-policy[x]-rule[0]`. */
export async function policyPlace(
  reader: MeshReader,
  name: string,
): Promise<{ readonly title: string; readonly origin?: string }> {
  const parts = /^ns\[(.+)\]-policy\[(.+)\]-rule\[(\d+)\]$/.exec(name);
  if (!parts) return { title: name };
  const [, namespace, policy, rule] = parts;
  const title = `AuthorizationPolicy ${namespace}/${policy}, rule ${rule}`;
  const resource = await reader.written("AuthorizationPolicy", namespace!, policy!);
  if (!resource) return { title };
  return { title, origin: formatOrigin(resource.origins.at(`spec.rules[${rule}]`)) };
}
