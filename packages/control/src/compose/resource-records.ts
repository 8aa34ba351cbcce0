import type { ResourceIndex, ResourceKey, ResourceList, ResourceRecord } from "../api/protocol.ts";
import { resourceKey } from "../config/resource.ts";
import { gatewayStatus } from "../inspect/gateway-status.ts";
import { policyStatus } from "../inspect/policy-status.ts";
import { routeStatus } from "../inspect/route-status.ts";
import { shownText } from "../inspect/secret-text.ts";
import type { ResourceStore } from "../store/resource-store.ts";
import type { Canaries } from "./canaries.ts";
import { noSuchResource } from "./config-changes.ts";
import type { ConfigEntry, ConfigSet } from "./config-set.ts";
import type { MeshPipeline } from "./mesh-pipeline.ts";

export interface ResourceRecordsOptions {
  readonly config: ConfigSet;
  readonly store: ResourceStore;
  readonly pipeline: MeshPipeline;
  readonly canaries: Canaries;
  /** When what the directory holds was last known to change, as far as anyone knows. */
  readonly startedAtMs: number;
}

/** What is in force, as it was written and with what became of it; no value of a Secret. */
export class ResourceRecords {
  readonly #parts: ResourceRecordsOptions;

  constructor(options: ResourceRecordsOptions) {
    this.#parts = options;
  }

  /** In order of kind, namespace and name. */
  list(filter: { readonly kind?: string; readonly namespace?: string }): ResourceList {
    const { config, store } = this.#parts;
    const resources = [...config.entries.values()]
      .filter(
        ({ resource }) =>
          (filter.kind === undefined || resource.kind === filter.kind) &&
          (filter.namespace === undefined || resource.namespace === filter.namespace),
      )
      .map((entry) => this.#record(entry));
    return { revision: store.revision, resources };
  }

  index(): ResourceIndex {
    const { revision, resources } = this.list({});
    return { revision, resources: resources.map(({ text: _, ...summary }) => summary) };
  }

  /** @throws ApiRefusal when there is none */
  get(key: ResourceKey): ResourceRecord {
    const entry = this.#parts.config.entries.get(resourceKey(key));
    if (!entry) throw noSuchResource(key);
    return this.#record(entry);
  }

  #record({ resource, text, source }: ConfigEntry): ResourceRecord {
    const { kind, namespace, name, apiVersion } = resource;
    const stored = source === "store" ? this.#parts.store.versionOf(resource) : undefined;
    const { routes, gateways, policyStatuses } = this.#parts.pipeline.current;
    const parents = routes.get(resourceKey(resource));
    const gateway = gateways.get(resourceKey(resource));
    const ancestors = policyStatuses.get(resourceKey(resource));
    const canary = kind === "Canary" ? this.#parts.canaries.status(resourceKey(resource)) : undefined;
    return {
      kind,
      namespace,
      name,
      apiVersion,
      text: shownText({ resource, text }),
      origin: `${text.file}:${text.line}`,
      revision: stored?.revision ?? 0,
      changedAtMs: stored?.changedAtMs ?? this.#parts.startedAtMs,
      source,
      ...(parents ? { status: routeStatus(parents) } : {}),
      ...(gateway ? { status: gatewayStatus(gateway) } : {}),
      ...(ancestors ? { status: policyStatus(ancestors) } : {}),
      ...(canary ? { status: canary } : {}),
    };
  }
}
